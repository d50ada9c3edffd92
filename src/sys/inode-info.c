/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/inode-info.h"

#include <linux/stat.h>

#include "sys/bare-call.h"

#define TYPE_BITS 0170000 /* S_IFMT of inode(7): <sys/stat.h> and <linux/stat.h> cannot both be included everywhere */

int inode_info(int dir_fd, const char *path, int flags, struct inode_info *ret) {
        struct statx sx;
        int r = BARE(statx, dir_fd, path, flags, STATX_TYPE | STATX_MNT_ID, &sx);

        if (r < 0)
                return r;
        *ret = (struct inode_info){
                .type = sx.stx_mode & TYPE_BITS,
                .mount_id = sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0,
                .mount_root = sx.stx_attributes & STATX_ATTR_MOUNT_ROOT,
        };
        return 0;
}
