/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps of the child that make, write and remove files in the container. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "muster-spawn/child.h"
#include "sys/bare-call.h"
#include "sys/inode-info.h"

int child_make_parents(const char *path) {
        char parent[PATH_MAX];
        size_t size = strlen(path);
        int r;

        if (size >= sizeof(parent))
                return -ENAMETOOLONG;
        memcpy(parent, path, size + 1);
        for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                r = BARE(mkdirat, AT_FDCWD, parent, 0755);
                if (r < 0 && r != -EEXIST && r != -EROFS)
                        return r;
                *slash = '/';
        }
        return 0;
}

/* Something else under a name that is not taken yet, then renamed over what was there. */
static int temporary_name(const char *target, char ret[static PATH_MAX]) {
        static const char before[] = ".#", behind[] = ".muster-spawn";
        const char *name = strrchr(target, '/') + 1;
        int r;

        if (strlen(target) + strlen(before) + strlen(behind) >= PATH_MAX)
                return -ENAMETOOLONG;
        stpcpy(stpcpy(stpcpy(mempcpy(ret, target, (size_t) (name - target)), before), name), behind);
        r = BARE(unlinkat, AT_FDCWD, ret, 0);
        return r == -ENOENT ? 0 : r;
}

static int rename_over(const char *temporary, const char *target) {
        int r = BARE(renameat2, AT_FDCWD, temporary, AT_FDCWD, target, 0);

        if (r < 0)
                BARE(unlinkat, AT_FDCWD, temporary, 0);
        return r;
}

static int replace_link(const struct step *s) {
        char temporary[PATH_MAX], now[PATH_MAX];
        int n = BARE(readlinkat, AT_FDCWD, s->target, now, sizeof(now) - 1), r;

        if (n >= 0) {
                now[n] = '\0';
                if (strcmp(now, s->source) == 0)
                        return 0;
        }
        r = temporary_name(s->target, temporary);
        if (r < 0)
                return r;
        r = BARE(symlinkat, s->source, AT_FDCWD, temporary);
        return r < 0 ? r : rename_over(temporary, s->target);
}

static int make_node(const struct step *s) {
        int r = s->node.type == NODE_SYMLINK ? BARE(symlinkat, s->source, AT_FDCWD, s->target)
                                             : BARE(mkdirat, AT_FDCWD, s->target, s->node.mode);

        return r == -EEXIST ? 0 : r;
}

static int node(struct execution *x, const struct step *s) {
        int r;

        if (s->node.type == NODE_SYMLINK && (s->flags & STEP_REPLACE))
                return replace_link(s);
        r = make_node(s);
        if (r != -ENOENT || !(s->flags & STEP_CREATE))
                return r;
        r = child_make_parents(s->target);
        return r < 0 ? r : make_node(s);
}

static int remove_file(struct execution *x, const struct step *s) {
        int r = BARE(unlinkat, AT_FDCWD, s->target, 0);

        if (r == -EISDIR)
                r = BARE(unlinkat, AT_FDCWD, s->target, AT_REMOVEDIR);
        return r == -ENOENT ? 0 : r;
}

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                int n = BARE(write, fd, data, size);

                if (n < 0)
                        return n;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

/* Does the file, read from its beginning, hold just that? */
static bool holds(int fd, const char *data, size_t size) {
        char chunk[4096];

        for (;;) {
                int n = BARE(read, fd, chunk, sizeof(chunk));

                if (n < 0 || (size_t) n > size || memcmp(chunk, data, (size_t) n) != 0)
                        return false;
                data += n;
                size -= (size_t) n;
                if (n < (int) sizeof(chunk))
                        return size == 0;
        }
}

/* A symlink there is the tree's own arrangement, and is left alone; so is a device, which is not even opened, because that alone
 * can have effects. What is right already stays: some file systems write a truncated file out as soon as it is closed, which
 * takes longer than all the rest. */
static int overwrite(const struct step *s) {
        struct inode_info info;
        int fd, r;

        if (inode_info(AT_FDCWD, s->target, AT_SYMLINK_NOFOLLOW, &info) == 0 && !S_ISREG(info.type))
                return -ELOOP;
        fd = BARE(openat, AT_FDCWD, s->target, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, s->node.mode);
        if (fd < 0)
                return fd;
        if (holds(fd, s->source, s->number[0])) {
                BARE(close, fd);
                return 0;
        }
        r = BARE(ftruncate, fd, 0);
        if (r >= 0)
                r = BARE(lseek, fd, 0, SEEK_SET);
        if (r >= 0)
                r = BARE(fchmod, fd, s->node.mode);
        if (r >= 0)
                r = write_all(fd, s->source, s->number[0]);
        BARE(close, fd);
        return r;
}

static int replace(const struct step *s) {
        char temporary[PATH_MAX];
        int fd, r;

        r = temporary_name(s->target, temporary);
        if (r < 0)
                return r;
        fd = BARE(openat, AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, s->node.mode);
        if (fd < 0)
                return fd;
        r = write_all(fd, s->source, s->number[0]);
        BARE(close, fd);
        if (r >= 0)
                return rename_over(temporary, s->target);
        BARE(unlinkat, AT_FDCWD, temporary, 0);
        return r;
}

static int write_file(struct execution *x, const struct step *s) {
        return s->flags & STEP_REPLACE ? replace(s) : overwrite(s);
}

child_step_fn *const child_file_steps[_STEP_MAX] = {
        [STEP_NODE] = node,
        [STEP_REMOVE] = remove_file,
        [STEP_WRITE] = write_file,
};
