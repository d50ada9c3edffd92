/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LXC speaks through the environment (lxc.container.conf(5), "CONTAINER HOOKS"): LXC_NAME, LXC_PID, LXC_ROOTFS_PATH in any
 * case; the kind of hook in LXC_HOOK_TYPE with lxc.hook.version 1, and as the words NAME "lxc" KIND without. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "muster-hook/fail.h"
#include "muster-hook/hooks.h"
#include "muster-hook/tell.h"

#define SERVICE "lxc"

static const char *kind_of_hook(char **words) {
        const char *kind = getenv("LXC_HOOK_TYPE");

        if (isempty(kind) && strv_length(words) >= 3)
                kind = words[2];
        return strempty(kind);
}

/* "dir:/srv/web", "/srv/web"; other kinds of storage have no directory on the host. */
static const char *root_directory(void) {
        const char *path = getenv("LXC_ROOTFS_PATH"), *rest;
        struct stat st;

        if (path && (rest = startswith(path, "dir:")))
                path = rest;
        return path && path_is_absolute_and_valid(path) && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? path : NULL;
}

static int start(const struct options *o, struct container *c) {
        const char *pid = getenv("LXC_PID");
        uint32_t number;

        if (!pid || parse_u32(pid, &number) < 0 || number < 1 || number > INT32_MAX)
                return fail("Container \"%s\": LXC does not say in LXC_PID which process is its first; "
                            "lxc.hook.start-host is the hook that knows.",
                            c->shown);
        c->pid = (pid_t) number;
        c->root = root_directory();
        return tell_start(o, c);
}

int hook_lxc(const struct options *o, char **words) {
        struct container c = { .service = o->service ? o->service : SERVICE };
        const char *name = getenv("LXC_NAME"), *kind = kind_of_hook(words);
        AUTO_FREE char *shown = str_escape(strempty(name), 256), *shown_kind = str_escape(kind, 64);

        if (!shown || !shown_kind)
                return fail("Out of memory.");
        if (isempty(name))
                return fail("LXC_NAME is not set: this is to be run by LXC, as a hook.");
        c.shown = shown;
        container_add_name(&c, o->name ? o->name : name);
        if (streq(kind, "start-host"))
                return start(o, &c);
        if (streq(kind, "stop") || streq(kind, "post-stop"))
                return tell_stop(o, &c);
        return fail("Container \"%s\": nothing is to be done in a hook of kind \"%s\"; use lxc.hook.start-host and "
                    "lxc.hook.post-stop.",
                    shown, shown_kind);
}
