/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each entry is opened once, as a place (O_PATH), looked at, and then used by that descriptor alone. The copy is closed to others
 * until it is complete, so that paths in it are safe: hard links need them. */
#include "sys/copy-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/inode-info.h"
#include "sys/remove-tree.h"

#define DEPTH_MAX 256
#define CHUNK (8U << 20) /* between two looks at whether to go on */
#define XATTR_MAX 65536  /* XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h */
#define FD_PATH_SIZE (sizeof("/proc/self/fd/") + 11 + 256)

struct copy {
        const struct copy_tree *how;
        uint64_t mount;   /* that is copied */
        dev_t top_device; /* of the copy */
        ino_t top_inode;
        int top;             /* the copy's own directory */
        struct buf path;     /* of the entry at hand, below top */
        void *links;         /* struct link, by device and inode: tsearch(3) */
        char *names, *value; /* room for extended attributes */
        bool no_clone, no_range;
};

/* The first name of a file that has several. */
struct link {
        dev_t device;
        ino_t inode;
        char *path;
};

static int copy_content(struct copy *c, int from, int to, unsigned depth);

static bool interrupted(const struct copy *c) {
        return c->how->interrupted && c->how->interrupted(c->how->userdata);
}

static void fd_path(char ret[static FD_PATH_SIZE], int fd) {
        snprintf(ret, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

/* The inode that was looked at, and no other, opened for reading. */
static int reopen(int handle, int flags) {
        char path[FD_PATH_SIZE];
        int fd;

        fd_path(path, handle);
        fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOATIME | flags);
        if (fd < 0 && errno == EPERM) /* it is not ours, and we are not root */
                fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
        return fd < 0 ? -errno : fd;
}

static int copy_xattr(struct copy *c, const char *from, const char *to, const char *name) {
        ssize_t size = getxattr(from, name, c->value, XATTR_MAX);

        if (size < 0)
                return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
        if (lsetxattr(to, name, c->value, (size_t) size, 0) < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        return 0;
}

/* from: through a magic link, which leads to the inode itself, be it a symlink. */
static int copy_xattrs(struct copy *c, int from_handle, const char *to) {
        char from[FD_PATH_SIZE];
        ssize_t size;

        fd_path(from, from_handle);
        size = listxattr(from, c->names, XATTR_MAX);
        if (size < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        for (const char *name = c->names; name < c->names + size; name += strlen(name) + 1) {
                int r = copy_xattr(c, from, to, name);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* The order matters: a new owner takes away setuid bits and capabilities, an ACL changes the mode, and all change the times. */
static int copy_attributes(struct copy *c, int handle, const struct stat *st, int to_dir, const char *name) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        char path[FD_PATH_SIZE];
        int r;

        if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", to_dir, name);
        r = copy_xattrs(c, handle, path);
        if (r < 0)
                return r;
        if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
                return -errno;
        return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static bool cannot(int error) {
        return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == EINVAL || error == ENOSYS;
}

static int try_clone(struct copy *c, int from, int to) {
        if (c->no_clone)
                return -EOPNOTSUPP;
        if (ioctl(to, FICLONE, from) == 0)
                return 0;
        if (!cannot(errno))
                return -errno;
        c->no_clone = true;
        return -EOPNOTSUPP;
}

static ssize_t copy_some(struct copy *c, int from, int to, off_t at, size_t size) {
        if (!c->no_range) {
                off_t in = at, out = at;
                ssize_t n = copy_file_range(from, &in, to, &out, size, 0);

                if (n >= 0 || !cannot(errno))
                        return n;
                c->no_range = true;
        }
        if (lseek(to, at, SEEK_SET) < 0)
                return -1;
        return sendfile(to, from, &at, size);
}

static int copy_range(struct copy *c, int from, int to, off_t at, off_t end) {
        while (at < end) {
                size_t size = end - at > (off_t) CHUNK ? CHUNK : (size_t) (end - at);
                ssize_t n = copy_some(c, from, to, at, size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0) /* it became shorter */
                        return 0;
                if (n > 0)
                        at += n;
                if (size == CHUNK && interrupted(c))
                        return -EINTR;
        }
        return 0;
}

static int copy_sparse(struct copy *c, int from, int to, off_t size) {
        off_t at = 0;

        while (at < size) {
                off_t data = lseek(from, at, SEEK_DATA), hole;
                int r;

                if (data < 0 && errno == ENXIO) /* only a hole follows */
                        break;
                if (data < 0)
                        return copy_range(c, from, to, at, size);
                hole = lseek(from, data, SEEK_HOLE);
                if (hole < 0)
                        return -errno;
                if (hole > size)
                        hole = size;
                r = copy_range(c, from, to, data, hole);
                if (r < 0)
                        return r;
                at = hole;
        }
        return 0;
}

static int copy_data(struct copy *c, int from, int to, const struct stat *st) {
        int r;

        if (st->st_size == 0)
                return 0;
        r = try_clone(c, from, to);
        if (r != -EOPNOTSUPP)
                return r;
        if (c->how->reflinks_only)
                return -EOPNOTSUPP;
        if ((off_t) st->st_blocks * 512 >= st->st_size)
                r = copy_range(c, from, to, 0, st->st_size);
        else
                r = copy_sparse(c, from, to, st->st_size);
        if (r < 0)
                return r;
        return (off_t) st->st_blocks * 512 < st->st_size && ftruncate(to, st->st_size) < 0 ? -errno : 0;
}

static int copy_regular(struct copy *c, int handle, const struct stat *st, int to_dir, const char *name) {
        AUTO_CLOSE int from = reopen(handle, 0), to = -EBADF;
        int r;

        if (from < 0)
                return from;
        to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return -errno;
        r = copy_data(c, from, to, st);
        return r < 0 ? r : copy_attributes(c, handle, st, to_dir, name);
}

static int copy_symlink(struct copy *c, int handle, const struct stat *st, int to_dir, const char *name) {
        char target[PATH_MAX];
        ssize_t n = readlinkat(handle, "", target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        if (symlinkat(target, to_dir, name) < 0)
                return -errno;
        return copy_attributes(c, handle, st, to_dir, name);
}

static int copy_node(struct copy *c, int handle, const struct stat *st, int to_dir, const char *name) {
        if (mknodat(to_dir, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
                return -errno;
        return copy_attributes(c, handle, st, to_dir, name);
}

static int copy_directory(struct copy *c, int handle, const struct stat *st, int to_dir, const char *name,
                          unsigned depth) {
        AUTO_CLOSE int from = -EBADF, to = -EBADF;
        int r;

        if (depth > DEPTH_MAX)
                return -ELOOP;
        from = reopen(handle, O_DIRECTORY);
        if (from < 0)
                return from;
        if (mkdirat(to_dir, name, 0700) < 0)
                return -errno;
        to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to < 0)
                return -errno;
        r = copy_content(c, STEAL_FD(from), to, depth);
        return r < 0 ? r : copy_attributes(c, handle, st, to_dir, name);
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

/* 1: linked to what has been copied before. 0: this is the first, and is remembered. */
static int link_again(struct copy *c, const struct stat *st, int to_dir, const char *name) {
        struct link *l, **found, key = { .device = st->st_dev, .inode = st->st_ino };

        found = tfind(&key, &c->links, compare_links);
        if (found) {
                if (linkat(c->top, (*found)->path, to_dir, name, 0) == 0)
                        return 1;
                return errno == EMLINK || errno == ENAMETOOLONG ? 0 : -errno;
        }
        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        *l = key;
        l->path = strndup(c->path.data, c->path.size);
        if (!l->path || !tsearch(l, &c->links, compare_links)) {
                free_link(l);
                return -ENOMEM;
        }
        return 0;
}

static int same_mount(const struct copy *c, int handle) {
        struct inode_info info;
        int r = inode_info(handle, "", AT_EMPTY_PATH, &info);

        return r < 0 ? r : info.mount_id == c->mount;
}

/* What is mounted belongs to somebody else; the place where it was stays. */
static int mount_point(const struct stat *st, int to_dir, const char *name) {
        if (!S_ISDIR(st->st_mode))
                return 0;
        return mkdirat(to_dir, name, 0700) < 0 || fchmodat(to_dir, name, 0755, 0) < 0 ? -errno : 0;
}

static int copy_by_type(struct copy *c, int handle, const struct stat *st, int to_dir, const char *name,
                        unsigned depth) {
        if (S_ISDIR(st->st_mode))
                return copy_directory(c, handle, st, to_dir, name, depth);
        if (st->st_nlink > 1) {
                int r = link_again(c, st, to_dir, name);

                if (r != 0)
                        return r < 0 ? r : 0;
        }
        switch (st->st_mode & S_IFMT) {
        case S_IFREG:
                return copy_regular(c, handle, st, to_dir, name);
        case S_IFLNK:
                return copy_symlink(c, handle, st, to_dir, name);
        default:
                return copy_node(c, handle, st, to_dir, name);
        }
}

static int copy_entry(struct copy *c, int from_dir, const char *name, int to_dir, unsigned depth) {
        AUTO_CLOSE int handle = openat(from_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        int r;

        if (handle < 0)
                return errno == ENOENT ? 0 : -errno; /* gone meanwhile */
        if (fstat(handle, &st) < 0)
                return -errno;
        if (st.st_dev == c->top_device && st.st_ino == c->top_inode)
                return 0;
        r = same_mount(c, handle);
        if (r < 0)
                return r;
        return r ? copy_by_type(c, handle, &st, to_dir, name, depth) : mount_point(&st, to_dir, name);
}

/* `from` is consumed. */
static int copy_content(struct copy *c, int from, int to, unsigned depth) {
        DIR *dir = fdopendir(from);
        size_t length = c->path.size;
        struct dirent *e;
        int r = 0;

        if (!dir) {
                close(from);
                return -errno;
        }
        while (r >= 0 && (errno = 0, e = readdir(dir))) {
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                if (length == 0 && c->how->top_without && startswith(e->d_name, c->how->top_without))
                        continue;
                if (interrupted(c)) {
                        r = -EINTR;
                        break;
                }
                if (length > 0)
                        buf_append_char(&c->path, '/');
                buf_append_str(&c->path, e->d_name);
                r = buf_error(&c->path);
                if (r >= 0)
                        r = copy_entry(c, dirfd(dir), e->d_name, to, depth + 1);
                c->path.size = length;
        }
        if (r >= 0 && errno)
                r = -errno;
        closedir(dir);
        return r;
}

static int copy_top(struct copy *c, int from_fd, int to_dir_fd, const char *name) {
        AUTO_CLOSE int from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), top = -EBADF;
        struct stat st, made;
        struct inode_info info;
        int r;

        if (from < 0 || fstat(from, &st) < 0)
                return -errno;
        r = inode_info(from, "", AT_EMPTY_PATH, &info);
        if (r < 0)
                return r;
        top = openat(to_dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (top < 0 || fstat(top, &made) < 0)
                return -errno;
        c->mount = info.mount_id;
        c->top = top;
        c->top_device = made.st_dev;
        c->top_inode = made.st_ino;
        c->names = malloc(XATTR_MAX);
        c->value = malloc(XATTR_MAX);
        if (!c->names || !c->value)
                return -ENOMEM;
        r = copy_content(c, fcntl(from, F_DUPFD_CLOEXEC, 3), top, 0);
        return r < 0 ? r : copy_attributes(c, from, &st, to_dir_fd, name);
}

int copy_tree(int from_fd, int to_dir_fd, const char *name, const struct copy_tree *how) {
        struct copy c = { .how = how };
        int r;

        if (mkdirat(to_dir_fd, name, 0700) < 0)
                return -errno;
        r = copy_top(&c, from_fd, to_dir_fd, name);
        tdestroy(c.links, free_link);
        buf_done(&c.path);
        free(c.names);
        free(c.value);
        if (r < 0)
                (void) remove_tree_at(to_dir_fd, name);
        return r;
}

bool copy_can_reflink(int dir_fd) {
        AUTO_CLOSE int a = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        AUTO_CLOSE int b = a < 0 ? -EBADF : openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        /* Some file systems take a clone of nothing. */
        return b >= 0 && write(a, "x", 1) == 1 && ioctl(b, FICLONE, a) == 0;
}
