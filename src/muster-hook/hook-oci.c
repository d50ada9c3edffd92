/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OCI runtimes speak through standard input: the container's state, whose status tells start from end, so that one command
 * does for all kinds of hooks (runtime-spec: "POSIX-platform Hooks", "State"). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/oci-state.h"
#include "muster-hook/fail.h"
#include "muster-hook/hooks.h"
#include "muster-hook/tell.h"
#include "sys/fileio.h"

#define SERVICE "oci"
#define ID_BYTES 32 /* of a machine ID in hexadecimal */

static int read_state(struct buf *out) {
        char chunk[16384];
        ssize_t n;

        while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (buf_append(out, chunk, (size_t) n) < 0)
                        return -ENOMEM;
                if (out->size > OCI_TEXT_MAX)
                        return -EMSGSIZE;
        }
        return 0;
}

static int get_state(const struct options *o, struct oci_state *ret) {
        AUTO_BUF struct buf text = BUF_EMPTY;
        struct diag d = { 0 };
        int r;

        if (isatty(STDIN_FILENO))
                return fail("Standard input is a terminal: this is to be run by an OCI runtime, as a hook.");
        r = read_state(&text);
        if (r >= 0)
                r = oci_state_decode(strempty(text.data), text.size, o->annotation, ret, &d);
        if (r == -EBADMSG)
                return fail("Standard input is no state of a container: %s%s%s.", d.field, d.field[0] ? " " : "",
                            d.text);
        if (r == -EMSGSIZE)
                return fail("The container's state on standard input is larger than %d bytes.", OCI_TEXT_MAX);
        return r < 0 ? fail("Cannot read the container's state: %s.", strerror(-r)) : 0;
}

/* Where the runtime does not say it (runc), the bundle's config.json does. Not knowing it is no reason to fail. */
static void find_root(struct oci_state *s) {
        AUTO_FREE char *text = NULL, *path = NULL;
        size_t size;

        if (s->root)
                return;
        if (asprintf(&path, "%s/config.json", s->bundle) < 0) {
                path = NULL;
                return;
        }
        if (read_file_at(AT_FDCWD, path, OCI_TEXT_MAX, &text, &size) >= 0)
                (void) oci_config_root(text, size, s->bundle, &s->root);
}

/* podman tells its containers that their machine ID is the first half of their id. Ids of other kinds are just names. */
static const char *machine_id(const char *id, char ret[static ID_BYTES + 1]) {
        if (strlen(id) != 2 * ID_BYTES || strspn(id, "0123456789abcdef") != 2 * ID_BYTES)
                return NULL;
        memcpy(ret, id, ID_BYTES);
        ret[ID_BYTES] = '\0';
        return ret;
}

static int tell(const struct options *o, struct oci_state *s) {
        struct container c = { .service = o->service ? o->service : SERVICE, .pid = s->pid };
        AUTO_FREE char *shown = str_escape(s->id, 128);
        char id[ID_BYTES + 1];

        if (!shown)
                return fail("Out of memory.");
        c.shown = shown;
        if (o->name || s->name)
                container_add_name(&c, o->name ? o->name : s->name);
        container_add_name(&c, s->id);
        if (s->stopped)
                return tell_stop(o, &c);
        find_root(s);
        c.root = s->root;
        c.id = machine_id(s->id, id);
        return tell_start(o, &c);
}

int hook_oci(const struct options *o, char **words) {
        AUTO(oci_state_done) struct oci_state s = OCI_STATE_EMPTY;

        return get_state(o, &s) < 0 ? -1 : tell(o, &s);
}
