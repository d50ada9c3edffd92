/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/read-only-self.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "sys/bare-call.h"

struct read_only_start read_only_start_state;

bool is_read_only_self(const char *execfn) {
        const char *prefix = "/dev/fd/";

        while (execfn && *prefix && *execfn == *prefix) {
                execfn++;
                prefix++;
        }
        return execfn && !*prefix;
}

int read_only_mount(void) {
        const char *self = "/proc/self/exe", *empty = "";
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE };
        int fd, r;

        fd = BARE(open_tree, AT_FDCWD, self, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (fd < 0)
                return fd;
        r = BARE(mount_setattr, fd, empty, AT_EMPTY_PATH, &attributes, sizeof(attributes));
        if (r < 0)
                BARE(close, fd);
        return r < 0 ? r : fd;
}

int read_only_exec(int mount, char *const argv[], char *const env[]) {
        const char *empty = "";

        return BARE(execveat, mount, empty, argv, env, AT_EMPTY_PATH);
}

int read_only_self(char *const argv[], char *const env[]) {
        struct statfs fs;
        int mount, r;

        if (read_only_start_state.moved || (BARE(statfs, "/proc/self/exe", &fs) == 0 && (fs.f_flags & ST_RDONLY)))
                return 0;
        mount = read_only_mount();
        if (mount < 0)
                return mount;
        r = read_only_exec(mount, argv, env);
        BARE(close, mount);
        return r;
}
