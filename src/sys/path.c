/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree belongs to somebody hostile who changes it while we look: resolve once, look at the fd, then use the fd. */
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"

#define ALWAYS (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define RETRIES 8

int open_in_root(int root_fd, const char *path, int flags) {
        struct open_how how = {
                .flags = (uint64_t) (flags | O_CLOEXEC) | (flags & O_PATH ? 0 : ALWAYS), /* O_PATH takes few others */
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };

        /* EAGAIN: something was renamed meanwhile and the kernel cannot promise that ".." stayed inside. */
        for (int i = 0;; i++) {
                long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

                if (fd >= 0)
                        return (int) fd;
                if (errno != EINTR && (errno != EAGAIN || i >= RETRIES))
                        return -errno;
        }
}

int is_view(int fd) {
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return -errno;
        switch ((unsigned long) fs.f_type) {
        case PROC_SUPER_MAGIC:
        case SYSFS_MAGIC:
        case CGROUP_SUPER_MAGIC:
        case CGROUP2_SUPER_MAGIC:
        case DEBUGFS_MAGIC:
        case TRACEFS_MAGIC:
        case SECURITYFS_MAGIC:
        case BPF_FS_MAGIC:
                return 1;
        default:
                return 0;
        }
}

int open_regular_in_root(int root_fd, const char *path) {
        AUTO_CLOSE int handle = open_in_root(root_fd, path, O_PATH);
        char self[sizeof("/proc/self/fd/") + 11];
        struct stat st;
        int fd, r;

        if (handle < 0)
                return handle;
        if (fstat(handle, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        r = is_view(handle);
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
        fd = openat(AT_FDCWD, self, O_RDONLY | ALWAYS);
        return fd < 0 ? -errno : fd;
}
