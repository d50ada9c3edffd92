/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd-run knows every property of every version of systemd, and how to speak to it; we would only copy that. It replaces itself
 * by us again, with the same descriptors, so that nothing stands between us and who called us. */
#include "muster-spawn/scope-unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"

#define PROGRAM "systemd-run"
#define MARK "MUSTER_SPAWN_SCOPE" /* tells the second of us that it is in its scope, and what its name is */

bool under_systemd(void) {
        static int known = -1; /* it does not change while we run */

        if (known < 0)
                known = access("/run/systemd/system", F_OK) == 0;
        return known;
}

static int property(char ***words, const char *text) {
        AUTO_FREE char *word = NULL;

        return asprintf(&word, "--property=%s", text) < 0 ? -ENOMEM : strv_extend(words, word);
}

/* A device that is bound into the container may be used there. */
static int allow_devices(const struct spec *s, char ***words) {
        for (size_t i = 0; i < s->n_mounts; i++) {
                const struct spec_mount *m = &s->mounts[i];
                AUTO_FREE char *text = NULL;
                struct stat st;
                int r;

                if (m->type != SPEC_MOUNT_BIND || !m->source.path || m->source.in_root ||
                    stat(m->source.path, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
                        continue;
                if (asprintf(&text, "DeviceAllow=%s %s", m->source.path, m->read_only ? "r" : "rw") < 0)
                        return -ENOMEM;
                r = property(words, text);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What a container's scope is like: man page of the original, --property=. A stop of the unit signals everybody in it, and SIGTERM
 * would end the services of the container one by one behind its init's back. Nobody minds SIGURG, which does nothing by default
 * (signal(7)); we take it for what it is, and ask the init (supervise.c). */
static int describe(const struct spec *s, const char *name, char ***words) {
        static const char *const fixed[] = { "Delegate=yes",
                                             "CollectMode=inactive-or-failed",
                                             "KillSignal=SIGURG",
                                             "DevicePolicy=closed",
                                             "DeviceAllow=/dev/net/tun rwm",
                                             "DeviceAllow=char-pts rw",
                                             "DeviceAllow=/dev/fuse rwm" };
        AUTO_FREE char *unit = NULL, *slice = NULL, *description = NULL;
        int r = 0;

        if (asprintf(&unit, "--unit=%s.scope", name) < 0 ||
            asprintf(&slice, "--slice=%s", s->slice ? s->slice : "machine.slice") < 0 ||
            asprintf(&description, "--description=Container %s", name) < 0)
                return -ENOMEM;
        if (strv_extend(words, PROGRAM) < 0 || strv_extend(words, "--scope") < 0 || strv_extend(words, "--quiet") < 0 ||
            strv_extend(words, unit) < 0 || strv_extend(words, slice) < 0 || strv_extend(words, description) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(fixed) && r >= 0; i++)
                r = property(words, fixed[i]);
        if (r >= 0)
                r = allow_devices(s, words);
        for (size_t i = 0; r >= 0 && s->properties && s->properties[i]; i++)
                r = property(words, s->properties[i]);
        return r < 0 ? r : strv_extend(words, "--");
}

static int cannot(const struct spec *s, int error) {
        bool must = s->slice || s->properties || (s->register_set && s->register_mode == REGISTER_YES);

        log_full(must ? LOG_LEVEL_ERR : LOG_LEVEL_WARNING, error, NULL, "cannot have %s make a scope unit%s", PROGRAM,
                 must ? "; --keep-unit does without" : ": going on in the unit that we are in");
        return must ? error : 0;
}

/* The unit may be stopped before we listen: blocked, the signal waits for that, where it would be dropped. Masks outlive exec(2). */
static void hold_stop(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGURG);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
}

int scope_unit_enter(struct spec *spec, const char *name, char *const argv[]) {
        const char *mark = getenv(MARK);
        AUTO(strv_freep) char **words = NULL;
        int r;

        if (mark) {
                r = str_replace(&spec->machine, mark);
                unsetenv(MARK);
                return r;
        }
        if (spec->keep_unit || spec->dry_run != DRY_RUN_NO || !under_systemd())
                return 0;
        if (access("/run/systemd/private", F_OK) < 0 && access("/run/dbus/system_bus_socket", F_OK) < 0)
                return cannot(spec, -EHOSTDOWN);
        r = describe(spec, name, &words);
        /* With the name that we were called by: /proc/self/exe has none after protect_self(). */
        for (size_t i = 0; r >= 0 && argv[i]; i++)
                r = strv_extend(&words, argv[i]);
        if (r >= 0 && setenv(MARK, name, 1) < 0)
                r = -errno;
        if (r < 0)
                return log_error_errno(r, "cannot start");
        hold_stop();
        execvp(PROGRAM, words);
        r = -errno;
        unsetenv(MARK);
        return cannot(spec, r);
}
