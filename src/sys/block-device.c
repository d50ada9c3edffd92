/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/block-device.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int block_device_of(const char *path, char *ret, size_t size) {
        struct stat st;
        dev_t device;

        if (stat(path, &st) < 0)
                return -errno;
        device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
        if (major(device) == 0)
                return -ENODEV;
        snprintf(ret, size, "%u:%u", major(device), minor(device));
        return 0;
}
