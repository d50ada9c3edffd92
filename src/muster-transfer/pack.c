/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As sys/copy-tree.c does it: each entry is opened once, as a place (O_PATH), looked at, and then used by that descriptor alone. So no
 * fifo and no device is ever opened, and whoever changes the tree meanwhile can spoil the copy, but not lead out of the tree. */
#include "muster-transfer/pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/tar.h"
#include "sys/path.h"

#define DEPTH_MAX 256
#define CHUNK ((size_t) 256 << 10)
#define XATTR_MAX 65536 /* XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h */
#define USER_PREFIX "user."

struct pack {
        struct work *work;
        int out;
        struct buf path; /* of the member at hand */
        struct buf head;
        void *links; /* struct link, by device and inode: tsearch(3) */
        char *chunk, *names;
        struct buf values;
        struct tar_xattr xattrs[TAR_XATTRS_MAX];
};

/* The first name of a file that has several. */
struct link {
        dev_t device;
        ino_t inode;
        char *path;
};

static int put_entry(struct pack *p, int handle, const struct stat *st, unsigned depth);

static int fail(struct pack *p, int error, const char *what) {
        return work_fail(p->work, error, "Cannot %s %s: %s.", what, p->path.size ? p->path.data : "the source",
                         strerror(-error));
}

static int write_all(struct pack *p, const void *data, size_t size) {
        const char *at = data;

        while (size > 0) {
                ssize_t n = write(p->out, at, size);

                if (n < 0 && errno == EPIPE)
                        return -EPIPE; /* whoever reads has said why */
                if (n < 0 && errno != EINTR)
                        return work_fail(p->work, -errno, "Cannot write: %s.", strerror(errno));
                if (n > 0) {
                        at += n;
                        size -= (size_t) n;
                }
        }
        return 0;
}

/* The inode that was looked at, and no other, opened for reading. */
static int reopen(int handle, int flags) {
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
        return fd < 0 ? -errno : fd;
}

/* ---- attributes ---- */

static int add_xattr(struct pack *p, int fd, const char *name, size_t *n) {
        ssize_t size;

        if (buf_reserve(&p->values, XATTR_MAX) < 0)
                return -ENOMEM;
        size = fgetxattr(fd, name, p->values.data + p->values.size, XATTR_MAX);
        if (size < 0) /* gone meanwhile */
                return errno == ENODATA ? 0 : -errno;
        if (*n == TAR_XATTRS_MAX || p->values.size + (size_t) size > TAR_EXTENDED_MAX)
                return -E2BIG;
        p->xattrs[*n] = (struct tar_xattr){ .name = name, .size = (size_t) size };
        (*n)++;
        p->values.size += (size_t) size;
        return 0;
}

/* Those of users only: the others are rights, labels and the like, which belong to a host. An archive cannot name some. */
static int get_xattrs(struct pack *p, int fd, struct tar_member *m) {
        ssize_t size = flistxattr(fd, p->names, XATTR_MAX);
        size_t n = 0, at = 0;

        if (size < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        buf_clear(&p->values);
        for (const char *name = p->names; name < p->names + size; name += strlen(name) + 1) {
                int r = startswith(name, USER_PREFIX) && !strchr(name, '=') ? add_xattr(p, fd, name, &n) : 0;

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n; at += p->xattrs[i++].size)
                p->xattrs[i].value = p->values.data + at;
        m->xattrs = p->xattrs;
        m->n_xattrs = n;
        return 0;
}

static struct tar_member member_of(const struct pack *p, enum tar_type type, const struct stat *st) {
        return (struct tar_member){ .type = type,
                                    .path = p->path.data,
                                    .mode = st->st_mode & 07777,
                                    .uid = st->st_uid,
                                    .gid = st->st_gid,
                                    .mtime = st->st_mtim.tv_sec,
                                    .mtime_nsec = (uint32_t) st->st_mtim.tv_nsec };
}

static int put_head(struct pack *p, const struct tar_member *m) {
        int r;

        buf_clear(&p->head);
        r = tar_encode(m, &p->head);
        if (r < 0)
                return fail(p, r, "describe");
        work_count_file(p->work);
        return write_all(p, p->head.data, p->head.size);
}

/* ---- entries ---- */

/* As many bytes as were promised; whoever writes to the file meanwhile cannot make it more. */
static int put_content(struct pack *p, int fd, uint64_t size) {
        static const char zeros[TAR_BLOCK];
        uint64_t left = size;

        while (left > 0) {
                ssize_t n = read(fd, p->chunk, left < CHUNK ? (size_t) left : CHUNK);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fail(p, -errno, "read");
                if (n == 0)
                        return work_fail(p->work, -ESTALE, "%s became shorter while it was copied.", p->path.data);
                r = write_all(p, p->chunk, (size_t) n);
                if (r < 0)
                        return r;
                left -= (uint64_t) n;
                work_count_bytes(p->work, (uint64_t) n);
        }
        return write_all(p, zeros, tar_padding(size));
}

static int compare_links(const void *a, const void *b) {
        const struct link *x = a, *y = b;

        if (x->inode != y->inode)
                return x->inode < y->inode ? -1 : 1;
        return x->device < y->device ? -1 : x->device > y->device;
}

static void free_link(void *p) {
        free(((struct link *) p)->path);
        free(p);
}

/* *ret: what it was called before; NULL: this is the first of its names, and is remembered. */
static int find_link(struct pack *p, const struct stat *st, const char **ret) {
        struct link *l, **found, key = { .device = st->st_dev, .inode = st->st_ino };

        *ret = NULL;
        found = tfind(&key, &p->links, compare_links);
        if (found) {
                *ret = (*found)->path;
                return 0;
        }
        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        *l = key;
        l->path = strdup(p->path.data);
        if (!l->path || !tsearch(l, &p->links, compare_links)) {
                free_link(l);
                return -ENOMEM;
        }
        return 0;
}

static int put_file(struct pack *p, int handle, const struct stat *st) {
        struct tar_member m = member_of(p, TAR_FILE, st);
        AUTO_CLOSE int fd = -EBADF;
        int r = st->st_nlink > 1 ? find_link(p, st, &m.target) : 0;

        if (r < 0)
                return fail(p, r, "remember");
        if (m.target) {
                m.type = TAR_HARD_LINK;
                return put_head(p, &m);
        }
        fd = reopen(handle, 0);
        if (fd < 0)
                return fail(p, fd, "open");
        r = get_xattrs(p, fd, &m);
        if (r < 0)
                return fail(p, r, "read the attributes of");
        m.size = (uint64_t) st->st_size;
        r = put_head(p, &m);
        return r < 0 ? r : put_content(p, fd, m.size);
}

static int put_symlink(struct pack *p, int handle, const struct stat *st) {
        struct tar_member m = member_of(p, TAR_SYMLINK, st);
        char target[TAR_PATH_MAX + 1];
        ssize_t n = readlinkat(handle, "", target, sizeof(target) - 1);

        if (n <= 0)
                return fail(p, n < 0 ? -errno : -EINVAL, "read");
        target[n] = '\0';
        m.target = target;
        return put_head(p, &m);
}

static int put_name(struct pack *p, int dir, const char *name, dev_t device, unsigned depth) {
        AUTO_CLOSE int handle = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        int r = 0;

        if (handle < 0)
                return errno == ENOENT ? 0 : fail(p, -errno, "open"); /* gone meanwhile */
        if (fstat(handle, &st) < 0)
                return fail(p, -errno, "look at");
        if (st.st_dev != device)
                r = is_view(handle);
        if (r < 0)
                return fail(p, r, "look at");
        if (r > 0) {
                work_count_left_out(p->work);
                return 0;
        }
        return put_entry(p, handle, &st, depth);
}

/* dir is consumed. What is in the first one has no "./" before its name. */
static int put_content_of(struct pack *p, DIR *dir, dev_t device, unsigned depth) {
        size_t length = depth == 0 ? 0 : p->path.size;
        struct dirent *e;
        int r = 0;

        while (r >= 0 && (errno = 0, e = readdir(dir))) {
                if (streq(e->d_name, ".") || streq(e->d_name, "..") || startswith(e->d_name, TEMPORARY_PREFIX))
                        continue;
                p->path.size = length;
                r = buf_append_str(&p->path, e->d_name);
                if (r >= 0)
                        r = put_name(p, dirfd(dir), e->d_name, device, depth + 1);
        }
        if (r >= 0 && errno)
                r = fail(p, -errno, "read");
        closedir(dir);
        return r;
}

static int put_directory(struct pack *p, int handle, const struct stat *st, unsigned depth) {
        AUTO_CLOSE int fd = reopen(handle, O_DIRECTORY);
        struct tar_member m;
        DIR *dir;
        int r;

        if (fd < 0)
                return fail(p, fd, "open");
        if (depth > DEPTH_MAX || p->path.size > TAR_PATH_MAX - 1)
                return fail(p, -ELOOP, "go into");
        r = buf_append_char(&p->path, '/');
        if (r < 0)
                return r;
        m = member_of(p, TAR_DIRECTORY, st);
        r = get_xattrs(p, fd, &m);
        if (r < 0)
                return fail(p, r, "read the attributes of");
        r = put_head(p, &m);
        if (r < 0)
                return r;
        dir = fdopendir(fd);
        if (!dir)
                return fail(p, -errno, "read");
        (void) STEAL_FD(fd);
        return put_content_of(p, dir, st->st_dev, depth);
}

static int put_entry(struct pack *p, int handle, const struct stat *st, unsigned depth) {
        struct tar_member m;

        if (p->path.size > TAR_PATH_MAX)
                return fail(p, -ENAMETOOLONG, "copy");
        switch (st->st_mode & S_IFMT) {
        case S_IFDIR:
                return put_directory(p, handle, st, depth);
        case S_IFREG:
                return put_file(p, handle, st);
        case S_IFLNK:
                return put_symlink(p, handle, st);
        case S_IFIFO:
                m = member_of(p, TAR_FIFO, st);
                return put_head(p, &m);
        default:
                if (depth == 0)
                        return work_fail(p->work, -EINVAL, "A device or a socket cannot be copied.");
                work_count_left_out(p->work);
                return 0;
        }
}

/* ---- the source ---- */

static int open_source(int root, const char *source) {
        const char *slash = strrchr(source, '/');
        AUTO_FREE char *above = strndup(source, slash == source ? 1 : (size_t) (slash - source));
        AUTO_CLOSE int parent = -EBADF;
        int fd;

        if (!above)
                return -ENOMEM;
        if (!slash[1])
                return open_in_root(root, "/", O_PATH | O_DIRECTORY);
        parent = open_in_root(root, above, O_PATH | O_DIRECTORY);
        if (parent < 0)
                return parent;
        fd = openat(parent, slash + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int put_source(struct pack *p, int handle, const char *name) {
        struct stat st;
        int r = is_view(handle);

        if (r > 0)
                return work_fail(p->work, -EINVAL, "The source is no file, but a view of the kernel.");
        if (r < 0 || fstat(handle, &st) < 0)
                return fail(p, r < 0 ? r : -errno, "look at");
        r = buf_append_str(&p->path, name && !S_ISDIR(st.st_mode) ? name : ".");
        if (r >= 0)
                r = put_entry(p, handle, &st, 0);
        if (r < 0)
                return r;
        buf_clear(&p->head);
        r = tar_encode_end(&p->head);
        return r < 0 ? r : write_all(p, p->head.data, p->head.size);
}

int pack(struct work *w, int root, const char *source, int out, bool by_name) {
        AUTO_CLOSE int handle = open_source(root, source);
        struct pack *p;
        int r;

        if (handle < 0)
                return work_fail(w, handle, "Cannot open the source: %s.", strerror(-handle));
        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->work = w;
        p->out = out;
        p->chunk = malloc(CHUNK);
        p->names = malloc(XATTR_MAX);
        r = p->chunk && p->names ? put_source(p, handle, by_name ? strrchr(source, '/') + 1 : NULL) : -ENOMEM;
        tdestroy(p->links, free_link);
        buf_done(&p->path);
        buf_done(&p->head);
        buf_done(&p->values);
        free(p->chunk);
        free(p->names);
        free(p);
        return r;
}
