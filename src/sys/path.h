/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/path.h: opens paths in trees of others without ever leaving them (openat2(2), Linux 5.6). */
#pragma once

#include <sys/types.h>

/* Opens path as a process chroot'ed to root_fd would: symbolic links, absolute ones too, stay inside, and the magic
 * links of procfs are refused (-ELOOP). O_CLOEXEC, O_NOCTTY and O_NONBLOCK are always added. Returns the fd or -errno.
 */
int open_in_root(int root_fd, const char *path, int flags);
/* The same for reading, regular files only: -EINVAL for all else (fifos, devices) and for files of proc, sysfs and
 * their like, whose content depends on who reads. Nothing but a regular file is ever opened: no device sees an open().
 */
int open_regular_in_root(int root_fd, const char *path);
/* Is what fd (O_PATH will do) stands for in a file system that is a view of the kernel, or of whoever reads? 1, 0, or -errno. */
int is_view(int fd);
