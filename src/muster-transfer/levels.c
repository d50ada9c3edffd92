/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-transfer/levels.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-transfer/work.h"
#include "sys/remove-tree.h"

/* ---- attributes ---- */

struct attributes attributes_of(const struct tar_member *m, bool keep_owners) {
        return (struct attributes){ .uid = keep_owners ? m->uid : 0,
                                    .gid = keep_owners ? m->gid : 0,
                                    .mode = m->mode & (keep_owners ? 07777U : 01777U),
                                    .mtime = { .tv_sec = m->mtime, .tv_nsec = (long) m->mtime_nsec } };
}

struct attributes attributes_default(void) {
        return (struct attributes){ .mode = 0755, .mtime = { .tv_nsec = UTIME_NOW } };
}

static int set_xattrs(int fd, const struct tar_member *m) {
        for (size_t i = 0; m && i < m->n_xattrs; i++) {
                const struct tar_xattr *x = &m->xattrs[i];

                if (!startswith(x->name, "user.")) /* rights, labels and the like: not for an archive to say */
                        continue;
                if (fsetxattr(fd, x->name, x->value, x->size, 0) < 0 && errno != EOPNOTSUPP)
                        return -errno;
        }
        return 0;
}

static bool owner_is_known(const struct attributes *a) {
        return a->uid != (uid_t) -1 && a->gid != (gid_t) -1; /* which would leave it as it is */
}

int attributes_set(const struct attributes *a, int fd, const struct tar_member *m) {
        const struct timespec times[2] = { a->mtime, a->mtime };
        int r;

        if (!owner_is_known(a))
                return -EINVAL;
        if (fchown(fd, a->uid, a->gid) < 0)
                return -errno;
        r = set_xattrs(fd, m);
        if (r < 0)
                return r;
        return fchmod(fd, a->mode) < 0 || futimens(fd, times) < 0 ? -errno : 0;
}

int attributes_set_by_place(const struct attributes *a, int fd, bool is_link) {
        const struct timespec times[2] = { a->mtime, a->mtime };
        char path[32];

        if (!owner_is_known(a))
                return -EINVAL;
        if (fchownat(fd, "", a->uid, a->gid, AT_EMPTY_PATH) < 0)
                return -errno;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (!is_link && chmod(path, a->mode) < 0)
                return -errno;
        return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 && errno != EINVAL ? -errno
                                                                              : 0; /* EINVAL: before Linux 5.8 */
}

int temporary_name(char ret[static TEMPORARY_SIZE]) {
        uint64_t number;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                return -errno;
        snprintf(ret, TEMPORARY_SIZE, TEMPORARY_PREFIX "%016llx", (unsigned long long) number);
        return 0;
}

/* ---- paths of members ---- */

/* The next component; NULL at the end. "." and doubled slashes are nothing. */
static const char *next_component(const char **path, size_t *ret_size) {
        const char *p = *path;

        for (;;) {
                size_t n;

                p += strspn(p, "/");
                if (!*p)
                        return NULL;
                n = strcspn(p, "/");
                *path = p + n;
                if (n == 1 && *p == '.') {
                        p += n;
                        continue;
                }
                *ret_size = n;
                return p;
        }
}

bool levels_is_top(const char *path) {
        size_t n;

        return !next_component(&path, &n);
}

static int copy_component(const char *from, size_t n, char ret[static 256]) {
        if (n > 255)
                return -ENAMETOOLONG;
        if (n == 2 && from[0] == '.' && from[1] == '.')
                return -EBADMSG;
        memcpy(ret, from, n);
        ret[n] = '\0';
        return 0;
}

/* ---- going around ---- */

static int push(struct levels *l, int fd, const char *name, bool ours) {
        struct level *level = &l->all[l->n];

        if (l->n == LEVELS_MAX) {
                close(fd);
                return -ELOOP;
        }
        *level = (struct level){ .fd = fd, .ours = ours };
        snprintf(level->name, sizeof(level->name), "%s", name);
        l->n++;
        return 0;
}

int levels_begin(struct levels *l, int fd, bool ours) {
        return fd < 0 ? fd : push(l, fd, "", ours);
}

struct level *levels_last(struct levels *l) {
        return &l->all[l->n - 1];
}

/* Whoever may write to the directory above can put one of his own there in the meantime, which is not ours to change. */
static bool is_own(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 && st.st_uid == geteuid();
}

int levels_enter(struct levels *l, const char *name, bool made) {
        struct level *above = levels_last(l);
        int fd, r = 0;

        fd = openat(above->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (made && !is_own(fd))
                r = -EBUSY;
        else if (made && !above->ours)
                r = levels_remember(l, name);
        if (r < 0) {
                close(fd);
                return r;
        }
        return push(l, fd, name, made || above->ours);
}

int levels_describe(struct levels *l, const struct attributes *a, const struct tar_member *m) {
        struct level *last = levels_last(l);

        last->attributes = *a;
        last->described = true;
        return set_xattrs(last->fd, m);
}

static int leave(struct levels *l) {
        struct level *last = &l->all[--l->n];
        int r = last->described ? attributes_set(&last->attributes, last->fd, NULL) : 0;

        close(last->fd);
        return r;
}

static int enter_or_make(struct levels *l, const char *name) {
        struct attributes a = attributes_default();
        bool made = false;
        int r = levels_enter(l, name, false);

        if (r == -ENOENT) {
                made = mkdirat(levels_last(l)->fd, name, 0700) == 0;
                r = levels_enter(l, name, made);
        }
        return r >= 0 && made ? levels_describe(l, &a, NULL) : r;
}

int levels_go_to_parent(struct levels *l, const char *path, char last[static 256]) {
        size_t n, depth = 1;
        const char *p = next_component(&path, &n), *next;
        int r = p ? copy_component(p, n, last) : -EBADMSG;

        for (; r >= 0 && (next = next_component(&path, &n)); depth++) {
                if (depth >= l->n || !streq(l->all[depth].name, last)) {
                        while (r >= 0 && l->n > depth)
                                r = leave(l);
                        if (r >= 0)
                                r = enter_or_make(l, last);
                }
                if (r >= 0)
                        r = copy_component(next, n, last);
        }
        while (r >= 0 && l->n > depth)
                r = leave(l);
        return r;
}

/* The destination may have links of others in it: none of them is followed. */
static int open_below(int fd, const char *path) {
        struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
        long r = syscall(SYS_openat2, fd, *path ? path : ".", &how, sizeof(how));

        return r < 0 ? -errno : (int) r;
}

int levels_open_parent(const struct levels *l, const char *path, char last[static 256]) {
        AUTO_BUF struct buf above = BUF_EMPTY;
        size_t n;
        const char *p = next_component(&path, &n), *next;
        int r = p && l->n > 0 ? copy_component(p, n, last) : -EBADMSG;

        for (; r >= 0 && (next = next_component(&path, &n)); r = r < 0 ? r : copy_component(next, n, last))
                r = buf_printf(&above, "%s%s", above.size ? "/" : "", last);
        return r < 0 ? r : open_below(l->all[0].fd, above.size ? above.data : "");
}

/* ---- taking back ---- */

int levels_remember(struct levels *l, const char *name) {
        AUTO_BUF struct buf path = BUF_EMPTY;
        struct stat st;

        if (fstatat(levels_last(l)->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno; /* somebody was faster */
        if (l->n_made == l->allocated) {
                size_t more = l->allocated ? 2 * l->allocated : 64;
                struct made *made = reallocarray(l->made, more, sizeof(*made));

                if (!made)
                        return -ENOMEM;
                l->made = made;
                l->allocated = more;
        }
        for (size_t i = 1; i < l->n; i++)
                buf_printf(&path, "%s/", l->all[i].name);
        buf_append_str(&path, name);
        if (buf_error(&path))
                return buf_error(&path);
        l->made[l->n_made] = (struct made){ .device = st.st_dev, .inode = st.st_ino };
        if (buf_steal(&path, &l->made[l->n_made].path) < 0)
                return -ENOMEM;
        l->n_made++;
        return 0;
}

static void take_back(struct levels *l, const struct made *m) {
        char last[256];
        AUTO_CLOSE int dir = levels_open_parent(l, m->path, last);
        struct stat st;

        if (dir < 0 || fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != m->device ||
            st.st_ino != m->inode)
                return; /* it is somebody else's now */
        (void) remove_tree_at(dir, last);
}

int levels_end(struct levels *l) {
        int r = 0;

        while (r >= 0 && l->n > 1)
                r = leave(l);
        if (r >= 0 && l->n == 1 && l->all[0].described)
                r = attributes_set(&l->all[0].attributes, l->all[0].fd, NULL);
        return r;
}

void levels_undo(struct levels *l) {
        while (l->n > 1)
                close(l->all[--l->n].fd);
        for (size_t i = l->n_made; i > 0; i--)
                take_back(l, &l->made[i - 1]);
}

void levels_done(struct levels *l) {
        while (l->n > 0)
                close(l->all[--l->n].fd);
        for (size_t i = 0; i < l->n_made; i++)
                free(l->made[i].path);
        free(l->made);
}
