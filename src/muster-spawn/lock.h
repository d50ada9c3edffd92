/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/lock.h: who runs a tree has it to himself, or shares it read-only. The same files and the same kind of lock as the
 * original, so that the two keep each other out. */
#pragma once

#include <stdbool.h>

struct image_lock {
        char *beside, *global; /* the files, removed by an exclusive owner at the end */
        int beside_fd, global_fd;
        bool exclusive;
};

#define IMAGE_LOCK_EMPTY ((struct image_lock){ .beside_fd = -9, .global_fd = -9 })

/* path: the tree. -EBUSY: somebody else runs it. A medium that takes no lock file is fine for shared locks. */
int image_lock(const char *path, bool exclusive, struct image_lock *ret);
void image_unlock(struct image_lock *l);

/* One file, mode 0600, locked as a whole by an open file description (fcntl(2), F_OFD_SETLK); made when missing. Negative errno,
 * -EBUSY: taken. wait: until it is free. */
int lock_file(const char *path, bool exclusive, bool wait);
