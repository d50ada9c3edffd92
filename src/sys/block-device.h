/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/block-device.h: which block device a path means. */
#pragma once

#include <stddef.h>

/* "MAJOR:MINOR" of the block device at path, or of the one that the file system of path is on. -ENODEV: on none, as in memory.
 * Otherwise what stat(2) says. */
int block_device_of(const char *path, char *ret, size_t size);
