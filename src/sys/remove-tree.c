/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container left behind is foreign: every step is by descriptor, so that nobody can swap a directory for a symlink. */
#include "sys/remove-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/inode-info.h"

#define DEPTH_MAX 256

static int remove_entry(int dir_fd, const char *name, uint64_t mount, unsigned depth);

static int mount_of(int dir_fd, const char *name, uint64_t *ret) {
        struct inode_info info;
        int r = inode_info(dir_fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, &info);

        if (r >= 0)
                *ret = info.mount_id;
        return r;
}

/* chattr(1) +i and +a are within the capabilities of a container. */
static void make_mutable(int fd) {
        int flags;

        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
                return;
        flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
        (void) ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int remove_immutable(int dir_fd, const char *name) {
        struct stat st;
        int fd;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return -EPERM;
        fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        make_mutable(fd);
        close(fd);
        return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

/* fd is consumed. */
static int remove_content(int fd, uint64_t mount, unsigned depth) {
        DIR *dir = fdopendir(fd);
        struct dirent *e;
        int r = 0;

        if (!dir) {
                close(fd);
                return -errno;
        }
        make_mutable(fd);
        while ((e = readdir(dir))) {
                int q;

                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                q = remove_entry(dirfd(dir), e->d_name, mount, depth);
                if (q < 0)
                        r = q;
        }
        closedir(dir);
        return r;
}

static int remove_entry(int dir_fd, const char *name, uint64_t mount, unsigned depth) {
        uint64_t its_mount;
        int fd, r;

        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (depth > DEPTH_MAX)
                return -ELOOP;
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOTDIR ? remove_immutable(dir_fd, name) : -errno;
        r = mount_of(fd, "", &its_mount);
        if (r < 0 || its_mount != mount) {
                close(fd);
                return r < 0 ? r : -EXDEV;
        }
        r = remove_content(fd, mount, depth + 1);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int remove_tree_at(int dir_fd, const char *name) {
        uint64_t mount;
        int r = mount_of(dir_fd, name, &mount);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return remove_entry(dir_fd, name, mount, 0);
}

int remove_tree(const char *path) {
        return remove_tree_at(AT_FDCWD, path);
}
