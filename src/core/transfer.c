/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/machine.h"

static const char *const transfer_kind_table[_TRANSFER_KIND_MAX] = {
        [TRANSFER_COPY_TO] = "copy_to",
        [TRANSFER_COPY_FROM] = "copy_from",
        [TRANSFER_BIND] = "bind",
};
DEFINE_TABLE(transfer_kind, enum transfer_kind)

int transfer_new(enum transfer_kind kind, struct transfer **ret) {
        struct transfer *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->kind = kind;
        for (size_t i = 0; i < ELEMENTS(t->fds); i++)
                t->fds[i] = -EBADF;
        *ret = t;
        return 0;
}

void transfer_free(struct transfer *t) {
        if (!t)
                return;
        for (size_t i = 0; i < ELEMENTS(t->fds); i++)
                machine_close_fd(t->fds[i]);
        free(t->source);
        free(t->destination);
        free(t);
}

static bool component_is_valid(const char *p, size_t n) {
        return n > 0 && n <= 255 && !(n == 1 && p[0] == '.') && !(n == 2 && p[0] == '.' && p[1] == '.');
}

bool transfer_path_is_valid(const char *path) {
        if (path[0] != '/' || strlen(path) > TRANSFER_PATH_MAX)
                return false;
        if (!path[1])
                return true;
        for (const char *p = path + 1;;) {
                size_t n = strcspn(p, "/");

                if (!component_is_valid(p, n))
                        return false;
                if (!p[n])
                        return true;
                p += n + 1;
        }
}

static int check_path(const char *path, const char *field, bool wanted, struct diag *d) {
        if (!wanted && path)
                return diag_set(d, -EINVAL, field, "An archive takes the place of the path on the host.");
        if (wanted && (!path || !transfer_path_is_valid(path)))
                return diag_set(d, -EINVAL, field, "The %s must be an absolute path without '.', '..' and '//'.",
                                field);
        return 0;
}

int transfer_check(struct transfer *t, struct diag *d) {
        bool in = t->archive && t->kind == TRANSFER_COPY_TO, out = t->archive && t->kind == TRANSFER_COPY_FROM;
        int r;

        if (!t->destination && !t->archive) {
                r = str_replace(&t->destination, t->source);
                if (r < 0)
                        return r;
        }
        if (t->archive && t->kind == TRANSFER_BIND)
                return diag_set(d, -EINVAL, "source", "An archive cannot be mounted.");
        r = check_path(t->source, "source", !in, d);
        if (r >= 0)
                r = check_path(t->destination, "destination", !out, d);
        if (r >= 0 && t->kind == TRANSFER_BIND && streq(t->destination, "/"))
                r = diag_set(d, -EINVAL, "destination", "Nothing can be mounted over the root of a machine.");
        return r;
}
