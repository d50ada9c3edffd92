/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members are put where their path leads from the destination, one component after the other, each opened as a directory and no
 * symlink (the archive itself may have brought one). New things get another name first, are complete under it, and are then renamed:
 * where somebody else takes that name away from us meanwhile, it is his own that he gets renamed, for owners, modes and times are set by
 * descriptor. */
#include "muster-transfer/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/tar.h"
#include "muster-transfer/levels.h"
#include "sys/path.h"
#include "sys/remove-tree.h"

#define CHUNK ((size_t) 256 << 10)
#define HOLE ((size_t) 4096) /* zeros, that many and so aligned, are not written */
#define DRAIN_MSEC 200

struct unpack {
        struct work *work;
        const struct unpack_how *how;
        int in;
        int parent;                     /* directory that the destination is in; -EBADF: it is the root */
        char name[256];                 /* of the destination in it */
        char temporary[TEMPORARY_SIZE]; /* what it is called until it is complete; "": it was there before */
        struct levels levels;
        struct tar_reader reader;
        char *chunk;
};

static int cancelled(const struct unpack *u) {
        return *u->how->cancelled ? -ECANCELED : 0;
}

static int fail(struct unpack *u, int error, const char *what, const char *path) {
        return work_fail(u->work, error, "Cannot %s %s: %s.", what, path, strerror(-error));
}

static int fail_attributes(struct unpack *u, int error, const char *path) {
        if (error == -EINVAL)
                return work_fail(u->work, error, "The owner of %s is not known there.", path);
        return fail(u, error, "set the attributes of", path);
}

/* Exactly that many bytes. 0 at the end, when none came. */
static int read_exactly(struct unpack *u, void *data, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = read(u->in, (char *) data + done, size - done);

                if (cancelled(u))
                        return cancelled(u);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return work_fail(u->work, -errno, "Cannot read what is to be copied: %s.", strerror(errno));
                if (n == 0)
                        return done > 0 ? -EPIPE : 0; /* whoever writes has said why */
                done += (size_t) n;
        }
        return 1;
}

/* ---- content ---- */

static bool all_zero(const char *p, size_t size) {
        return size > 0 && p[0] == '\0' && memcmp(p, p + 1, size - 1) == 0;
}

static int write_at(int fd, const char *p, size_t size, off_t at) {
        while (size > 0) {
                ssize_t n = pwrite(fd, p, size, at);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        p += n;
                        at += n;
                        size -= (size_t) n;
                }
        }
        return 0;
}

static int write_with_holes(int fd, const char *p, size_t size, off_t at) {
        int r = 0;

        while (r >= 0 && size > 0) {
                size_t n = 0, part;

                for (; n < size; n += part) { /* all that can be written at once */
                        part = size - n < HOLE ? size - n : HOLE;
                        if (part == HOLE && all_zero(p + n, part))
                                break;
                }
                if (n == 0)
                        n = HOLE;
                else
                        r = write_at(fd, p, n, at);
                p += n;
                at += (off_t) n;
                size -= n;
        }
        return r;
}

static int skip(struct unpack *u, uint64_t size) {
        while (size > 0) {
                size_t n = size < CHUNK ? (size_t) size : CHUNK;
                int r = read_exactly(u, u->chunk, n);

                if (r <= 0)
                        return r < 0 ? r : -EPIPE;
                size -= n;
        }
        return 0;
}

static int take_content(struct unpack *u, int fd, const struct tar_member *m) {
        uint64_t at = 0;

        while (at < m->size) {
                size_t n = m->size - at < CHUNK ? (size_t) (m->size - at) : CHUNK;
                int r = read_exactly(u, u->chunk, n);

                if (r <= 0)
                        return r < 0 ? r : -EPIPE;
                r = write_with_holes(fd, u->chunk, n, (off_t) at);
                if (r < 0)
                        return fail(u, r, "write", m->path);
                at += n;
                work_count_bytes(u->work, n);
        }
        if (ftruncate(fd, (off_t) m->size) < 0)
                return fail(u, -errno, "write", m->path);
        return skip(u, tar_padding(m->size));
}

/* ---- single things, under another name ---- */

static int make_regular(struct unpack *u, int dir, const char *name, const struct tar_member *m) {
        AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        struct attributes a = attributes_of(m, u->how->keep_owners);
        int r;

        if (fd < 0)
                return fail(u, -errno, "create", m->path);
        r = take_content(u, fd, m);
        if (r < 0)
                return r;
        r = attributes_set(&a, fd, m);
        return r < 0 ? fail_attributes(u, r, m->path) : 0;
}

/* What cannot be opened without doing something: by a place, which is looked at once more. */
static int finish_special(struct unpack *u, int dir, const char *name, const struct tar_member *m, mode_t type) {
        AUTO_CLOSE int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct attributes a = attributes_of(m, u->how->keep_owners);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return fail(u, -errno, "open", m->path);
        if ((st.st_mode & S_IFMT) != type || st.st_nlink != 1)
                return fail(u, -EBUSY, "create", m->path);
        r = attributes_set_by_place(&a, fd, type == S_IFLNK);
        return r < 0 ? fail_attributes(u, r, m->path) : 0;
}

static int make_link(struct unpack *u, int dir, const char *name, const struct tar_member *m) {
        AUTO_CLOSE int there = -EBADF;
        char last[256];
        struct stat st;

        there = levels_open_parent(&u->levels, m->target, last);
        if (there < 0)
                return fail(u, there, "find what is linked to by", m->path);
        if (fstatat(there, last, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return fail(u, -ENOENT, "find what is linked to by", m->path);
        return linkat(there, last, dir, name, 0) < 0 ? fail(u, -errno, "link", m->path) : 0;
}

static int make_thing(struct unpack *u, int dir, const char *name, const struct tar_member *m) {
        switch (m->type) {
        case TAR_FILE:
                return make_regular(u, dir, name, m);
        case TAR_HARD_LINK:
                return make_link(u, dir, name, m);
        case TAR_SYMLINK:
                if (symlinkat(m->target, dir, name) < 0)
                        return fail(u, -errno, "create", m->path);
                return finish_special(u, dir, name, m, S_IFLNK);
        default:
                if (mknodat(dir, name, S_IFIFO | 0600, 0) < 0)
                        return fail(u, -errno, "create", m->path);
                return finish_special(u, dir, name, m, S_IFIFO);
        }
}

/* renameat2(2) with RENAME_NOREPLACE is not known to every file system. */
static int put_in_place(int dir, const char *temporary, const char *name, bool replace) {
        if (replace)
                return renameat(dir, temporary, dir, name) < 0 ? -errno : 0;
        if (renameat2(dir, temporary, dir, name, RENAME_NOREPLACE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        if (linkat(dir, temporary, dir, name, 0) == 0)
                return unlinkat(dir, temporary, 0) < 0 ? -errno : 0;
        if (errno != EPERM) /* which is for directories, and where there are no links */
                return -errno;
        return renameat(dir, temporary, dir, name) < 0 ? -errno : 0;
}

static int make(struct unpack *u, int dir, const char *name, const struct tar_member *m, bool replace) {
        char temporary[TEMPORARY_SIZE];
        int r = temporary_name(temporary);

        if (r < 0)
                return r;
        r = make_thing(u, dir, temporary, m);
        if (r >= 0) {
                r = put_in_place(dir, temporary, name, replace);
                if (r < 0)
                        (void) fail(u, r, "create", m->path);
        }
        if (r < 0)
                (void) unlinkat(dir, temporary, 0);
        else
                work_count_file(u->work);
        return r;
}

/* ---- the destination ---- */

static int writable(int dir) {
        return faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* Nothing has been changed yet when this refuses. */
static int find_destination(struct unpack *u, int root, const char *destination) {
        const char *slash = strrchr(destination, '/');
        AUTO_FREE char *above = strndup(destination, slash == destination ? 1 : (size_t) (slash - destination));
        int r;

        if (!above)
                return -ENOMEM;
        if (!slash[1])
                return levels_begin(&u->levels, open_in_root(root, "/", O_RDONLY | O_DIRECTORY), false);
        u->parent = open_in_root(root, above, O_RDONLY | O_DIRECTORY);
        if (u->parent < 0)
                return work_fail(u->work, u->parent, "Cannot open the directory of the destination: %s.",
                                 strerror(-u->parent));
        snprintf(u->name, sizeof(u->name), "%s", slash + 1);
        r = writable(u->parent);
        if (r == -EACCES ||
            r == -EROFS) { /* which is fine where something is mounted, or belongs to others, one below */
                AUTO_CLOSE int below = openat(u->parent, u->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                r = below < 0 ? r : writable(below);
        }
        return r < 0 ? work_fail(u->work, r, "The destination cannot be written to: %s.", strerror(-r)) : 0;
}

static int open_top(struct unpack *u, const struct tar_member *m) {
        int fd = openat(u->parent, u->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;
        struct attributes a;

        if (fd >= 0) {
                r = writable(fd);
                if (r < 0) {
                        close(fd);
                        return work_fail(u->work, r, "The destination cannot be written to: %s.", strerror(-r));
                }
                return levels_begin(&u->levels, fd, false);
        }
        if (errno != ENOENT)
                return work_fail(u->work, errno == ENOTDIR || errno == ELOOP ? -EEXIST : -errno,
                                 "The destination is there already, and is no directory.");
        r = temporary_name(u->temporary);
        if (r < 0)
                return r;
        if (mkdirat(u->parent, u->temporary, 0700) < 0) {
                r = -errno;
                u->temporary[0] = '\0';
                return work_fail(u->work, r, "Cannot create the destination: %s.", strerror(-r));
        }
        fd = openat(u->parent, u->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = levels_begin(&u->levels, fd < 0 ? -errno : fd, true);
        if (r < 0)
                return work_fail(u->work, r, "Cannot open the destination: %s.", strerror(-r));
        a = m ? attributes_of(m, u->how->keep_owners) : attributes_default();
        r = levels_describe(&u->levels, &a, m);
        if (r >= 0)
                work_count_file(u->work);
        return r;
}

/* The destination itself is a file. */
static int make_top(struct unpack *u, const struct tar_member *m) {
        struct tar_member named = *m;
        struct stat st;

        named.path = u->name;
        if (u->parent < 0)
                return work_fail(u->work, -EISDIR, "The destination is a directory.");
        if (fstatat(u->parent, u->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                if (S_ISDIR(st.st_mode))
                        return work_fail(u->work, u->how->replace ? -EISDIR : -EEXIST,
                                         "The destination is there already, and is a directory.");
                if (!u->how->replace)
                        return work_fail(u->work, -EEXIST, "The destination is there already.");
        }
        return make(u, u->parent, u->name, &named, u->how->replace);
}

/* ---- members ---- */

static int make_directory(struct unpack *u, struct level *l, const char *name, const struct tar_member *m) {
        struct attributes a = attributes_of(m, u->how->keep_owners);
        bool made = mkdirat(l->fd, name, 0700) == 0;
        int r;

        if (!made && errno != EEXIST)
                return fail(u, -errno, "create", m->path);
        r = levels_enter(&u->levels, name, made);
        if (r < 0)
                return fail(u, r, "go into", m->path);
        if (!made)
                return 0;
        work_count_file(u->work);
        return levels_describe(&u->levels, &a, m);
}

static int make_member(struct unpack *u, const char *name, const struct tar_member *m) {
        struct level *l = levels_last(&u->levels);
        struct stat st;
        bool exists;
        int r;

        if (m->type == TAR_DIRECTORY)
                return make_directory(u, l, name, m);
        if (m->type == TAR_OTHER) {
                work_count_left_out(u->work);
                return 0;
        }
        exists = fstatat(l->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (exists && S_ISDIR(st.st_mode))
                return fail(u, -EISDIR, "replace", m->path);
        if (exists && !l->ours && !u->how->replace)
                return skip(u, m->size + tar_padding(m->size));
        r = make(u, l->fd, name, m, exists);
        if (r >= 0 && !exists && !l->ours)
                r = levels_remember(&u->levels, name);
        return r;
}

static int take_member(struct unpack *u, const struct tar_member *m) {
        char last[256];
        int r;

        r = levels_is_top(m->path);
        if (r > 0 && m->type != TAR_DIRECTORY && !u->how->into && u->levels.n == 0)
                return make_top(u, m);
        if (u->levels.n == 0) {
                r = open_top(u, r > 0 ? m : NULL);
                if (r < 0)
                        return r;
        }
        if (levels_is_top(m->path) > 0)
                return m->type == TAR_DIRECTORY ? 0 : fail(u, -EBADMSG, "unpack", m->path);
        r = levels_go_to_parent(&u->levels, m->path, last);
        if (r == -EBADMSG)
                return work_fail(u->work, r, "%s leads out of the archive.", m->path);
        return r < 0 ? fail(u, r, "go to the directory of", m->path) : make_member(u, last, m);
}

static int take_extended(struct unpack *u) {
        size_t size = u->reader.size;
        AUTO_FREE char *data = malloc(size);
        int r;

        if (!data)
                return -ENOMEM;
        r = read_exactly(u, data, size);
        if (r > 0)
                r = skip(u, tar_padding(size));
        else if (r == 0)
                r = -EPIPE;
        return r < 0 ? r : tar_reader_extended(&u->reader, data, size);
}

static int take_all(struct unpack *u) {
        uint8_t block[TAR_BLOCK];
        bool any = false;

        for (;;) {
                int r = read_exactly(u, block, sizeof(block));

                if (r == 0 && u->how->into && any) /* some tars end without saying so */
                        return 0;
                if (r <= 0)
                        return r < 0 ? r : -EPIPE;
                r = tar_reader_block(&u->reader, block);
                if (r == TAR_END)
                        return 0;
                if (r == TAR_EXTENDED)
                        r = take_extended(u);
                else if (r == TAR_MEMBER)
                        r = take_member(u, &u->reader.member);
                if (r == -EBADMSG || r == -EOPNOTSUPP || r == -E2BIG)
                        return work_fail(u->work, r, "What comes is no tar archive that can be read.");
                if (r < 0)
                        return r;
                any = true;
        }
}

/* Whoever writes an archive fills its last record up, and is not to fail at that. */
static void drain(struct unpack *u) {
        struct pollfd in = { .fd = u->in, .events = POLLIN };

        while (poll(&in, 1, DRAIN_MSEC) > 0 && !cancelled(u))
                if (read(u->in, u->chunk, CHUNK) <= 0)
                        return;
}

static int finish(struct unpack *u) {
        int r = levels_end(&u->levels);

        if (r < 0)
                return work_fail(u->work, r, "Cannot set the attributes of a directory: %s.", strerror(-r));
        if (!u->temporary[0])
                return 0;
        r = put_in_place(u->parent, u->temporary, u->name, false);
        if (r < 0)
                return work_fail(u->work, r, "Cannot create the destination: %s.", strerror(-r));
        u->temporary[0] = '\0';
        return 0;
}

static void undo(struct unpack *u) {
        levels_undo(&u->levels);
        if (u->temporary[0])
                (void) remove_tree_at(u->parent, u->temporary);
}

int unpack(struct work *w, int root, const char *destination, int in, const struct unpack_how *how) {
        struct unpack *u = calloc(1, sizeof(*u));
        int r;

        if (!u)
                return -ENOMEM;
        u->work = w;
        u->how = how;
        u->in = in;
        u->parent = -EBADF;
        u->chunk = malloc(CHUNK);
        r = u->chunk ? find_destination(u, root, destination) : -ENOMEM;
        if (r >= 0)
                r = take_all(u);
        if (r >= 0)
                r = finish(u);
        if (r < 0)
                undo(u);
        else if (how->into)
                drain(u);
        levels_done(&u->levels);
        tar_reader_done(&u->reader);
        if (u->parent >= 0)
                close(u->parent);
        free(u->chunk);
        free(u);
        return r;
}
