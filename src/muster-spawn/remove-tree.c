/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container left behind is foreign: every step is by descriptor, so that nobody can swap a directory for a symlink. */
#include "muster-spawn/remove-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"

#define DEPTH_MAX 256

static int remove_entry(int dir_fd, const char *name, dev_t device, unsigned depth);

/* fd is consumed. */
static int remove_content(int fd, dev_t device, unsigned depth) {
        DIR *dir = fdopendir(fd);
        struct dirent *e;
        int r = 0;

        if (!dir) {
                close(fd);
                return -errno;
        }
        while ((e = readdir(dir))) {
                int q;

                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                q = remove_entry(dirfd(dir), e->d_name, device, depth);
                if (q < 0)
                        r = q;
        }
        closedir(dir);
        return r;
}

static int remove_entry(int dir_fd, const char *name, dev_t device, unsigned depth) {
        struct stat st;
        int fd, r;

        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (depth > DEPTH_MAX)
                return -ELOOP;
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || st.st_dev != device) {
                close(fd);
                return -EXDEV;
        }
        r = remove_content(fd, device, depth + 1);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int remove_tree(const char *path) {
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        return remove_entry(AT_FDCWD, path, st.st_dev, 0);
}
