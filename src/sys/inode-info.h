/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/inode-info.h: what a path leads to: statx(2), as a bare system call (sys/bare-call.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct inode_info {
        mode_t type;       /* S_IFMT part of the mode */
        uint64_t mount_id; /* unlike st_dev it tells mounts from the subvolumes of btrfs; 0 before Linux 5.8 */
        bool mount_root;   /* something is mounted there */
};

/* flags: AT_* of statx(2); with AT_EMPTY_PATH and "" it is about dir_fd itself. -errno. */
int inode_info(int dir_fd, const char *path, int flags, struct inode_info *ret);
