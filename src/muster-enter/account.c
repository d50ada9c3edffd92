/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-enter/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "codec/passwd-text.h"
#include "sys/path.h"

#define DATABASE_MAX ((size_t) 4 << 20)
#define GROUPS_MAX 4096

/* A regular file below the machine's root, and nothing else: no fifo makes us wait, no device hears of us. */
static int read_database(int root_fd, const char *path, struct buf *out) {
        AUTO_CLOSE int fd = open_regular_in_root(root_fd, path);
        char chunk[65536];

        if (fd < 0)
                return fd;
        for (;;) {
                ssize_t n = read(fd, chunk, sizeof(chunk));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                if (out->size + (size_t) n > DATABASE_MAX)
                        return -EFBIG;
                if (buf_append(out, chunk, (size_t) n) < 0)
                        return -ENOMEM;
        }
}

static const char *why(int error) {
        switch (error) {
        case -EINVAL:
                return "it is no regular file";
        case -EFBIG:
                return "it is too large";
        default:
                return strerror(-error);
        }
}

static int take_entry(const struct buf *passwd, const char *name, struct account *ret) {
        struct passwd_entry e = { 0 };
        int r = passwd->size ? passwd_find(passwd->data, passwd->size, name, &e) : -ENOENT;

        if (r < 0)
                return r;
        ret->uid = e.uid;
        ret->gid = e.gid;
        ret->home = e.home;
        ret->shell = e.shell;
        r = passwd_name_of(passwd->data, passwd->size, e.uid, &ret->name);
        if (strspn(name, "0123456789") != strlen(name)) { /* several may share a number: this one was named */
                free(ret->name);
                ret->name = strdup(name);
                r = ret->name ? 0 : -ENOMEM;
        }
        return r == -ENOMEM ? r : 0;
}

/* Whoever has the number 0 is root, whatever the file says of a user called "0". */
static int take_root(const struct buf *passwd, struct account *ret) {
        AUTO_FREE char *name = NULL;
        int r = passwd->size ? passwd_name_of(passwd->data, passwd->size, 0, &name) : -ENOENT;

        if (r >= 0)
                r = take_entry(passwd, name, ret);
        if (r == -ENOMEM)
                return r;
        ret->uid = 0;
        if (r < 0)
                ret->gid = 0;
        return 0;
}

static int take_groups(int root_fd, struct account *ret) {
        AUTO_BUF struct buf text = BUF_EMPTY;

        if (!ret->name || read_database(root_fd, "etc/group", &text) < 0 || text.size == 0)
                return 0;
        return group_list(text.data, text.size, ret->name, GROUPS_MAX, &ret->groups, &ret->n_groups);
}

static int find(int root_fd, const char *user, struct account *ret, struct diag *d) {
        AUTO_BUF struct buf passwd = BUF_EMPTY;
        AUTO_FREE char *shown = NULL;
        int r = read_database(root_fd, "etc/passwd", &passwd), found;

        if (!user)
                return take_root(&passwd, ret);
        if (r < 0)
                buf_clear(&passwd);
        found = take_entry(&passwd, user, ret);
        if (found != -ENOENT)
                return found;
        if (parse_u32(user, &ret->uid) == 0) {
                ret->gid = ret->uid;
                return 0;
        }
        shown = str_escape(user, 64);
        if (r < 0)
                return diag_set(d, -ESRCH, "user", "Cannot look for user %s in the machine's /etc/passwd: %s.",
                                strempty(shown), why(r));
        return diag_set(d, -ESRCH, "user", "The machine has no user %s.", strempty(shown));
}

int account_find(int root_fd, const char *user, struct account *ret, struct diag *d) {
        int r;

        *ret = (struct account){ .uid = UINT32_MAX, .gid = UINT32_MAX };
        r = find(root_fd, user, ret, d);
        if (r >= 0)
                r = take_groups(root_fd, ret);
        if (r == -E2BIG)
                return diag_set(d, r, "user", "The user is in more than %d groups.", GROUPS_MAX);
        return r;
}

void account_done(struct account *a) {
        free(a->groups);
        free(a->name);
        free(a->home);
        free(a->shell);
}
