/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/mountfd.h: mounts as descriptors (Linux 5.12: fsopen(2), open_tree(2), move_mount(2), mount_setattr(2)). Of these Debian
 * 12's libc has wrappers for some only in newer versions: all are made here. No allocation, no log: a child uses them, too. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A detached copy of the mount (recursive: and those below it) at dir_fd/path; path "": of dir_fd itself. Close-on-exec. */
int mount_clone(int dir_fd, const char *path, bool recursive);
/* A detached mount of a new file system. options: "key=value,flag", commas cannot be escaped; may be NULL. attributes:
 * MOUNT_ATTR_*. label: of SELinux, for all files in it; may be NULL. */
int mount_make(const char *type, const char *options, const char *label, uint64_t attributes);
/* Changes attributes of dir_fd/path (path "": dir_fd itself). propagation: MS_PRIVATE, MS_SLAVE, MS_SHARED or 0. */
int mount_change(int dir_fd, const char *path, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation);
/* Shows the owners of a detached mount through a user namespace. */
int mount_map_owners(int mount_fd, int userns_fd, bool recursive);
/* Puts a detached mount on dir_fd/path (path "": on dir_fd itself). follow: a symlink in the last component, too. */
int mount_attach(int mount_fd, int dir_fd, const char *path, bool follow);

/* The pieces of mount_make(), for file systems that want their options one by one. */
int mount_context(const char *type);
int mount_context_set(int context, const char *key, const char *value); /* value NULL: a flag */
int mount_context_finish(int context, uint64_t attributes);
