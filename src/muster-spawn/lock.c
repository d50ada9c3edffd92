/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/fileio.h"

#define LOCKS "/run/systemd/nspawn/locks"

/* The file may have been unlinked between opening and locking: then the lock is on nothing that others see. Nobody renames one. */
static bool is_still_there(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int lock_file(const char *path, bool exclusive, bool wait) {
        struct flock lock = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

        for (;;) {
                AUTO_CLOSE int fd = openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

                if (fd < 0)
                        return -errno;
                if (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) < 0)
                        return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
                if (is_still_there(fd))
                        return STEAL_FD(fd);
        }
}

static int lock_beside(const char *path, struct image_lock *l) {
        const char *slash = strrchr(path, '/');

        if (!slash || !slash[1]) /* the host's own root has nothing beside it */
                return 0;
        if (asprintf(&l->beside, "%.*s/.#%s.lck", (int) (slash - path), path, slash + 1) < 0)
                return -ENOMEM;
        l->beside_fd = lock_file(l->beside, l->exclusive, false);
        /* Where we may not write nobody else can have a tree of ours. */
        if (l->beside_fd == -EACCES || (l->beside_fd == -EROFS && !l->exclusive))
                return 0;
        return l->beside_fd < 0 ? l->beside_fd : 0;
}

static int lock_global(const char *path, struct image_lock *l) {
        struct stat st;
        int r;

        if (stat(path, &st) < 0)
                return -errno;
        if (asprintf(&l->global, LOCKS "/inode-%llu:%llu", (unsigned long long) st.st_dev,
                     (unsigned long long) st.st_ino) < 0)
                return -ENOMEM;
        l->global_fd = lock_file(l->global, l->exclusive, false);
        if (l->global_fd == -ENOENT) {
                r = mkdir_below(LOCKS, 0700); /* what is above is for all: the registry's socket, settings of users */
                if (r == -EACCES)
                        return 0;
                if (r < 0)
                        return r;
                l->global_fd = lock_file(l->global, l->exclusive, false);
        }
        if (l->global_fd == -EACCES)
                return 0;
        return l->global_fd < 0 ? l->global_fd : 0;
}

int image_lock(const char *path, bool exclusive, struct image_lock *ret) {
        struct image_lock l = IMAGE_LOCK_EMPTY;
        int r;

        l.exclusive = exclusive;
        r = lock_beside(path, &l);
        if (r >= 0)
                r = lock_global(path, &l);
        if (r < 0) {
                image_unlock(&l);
                return r;
        }
        *ret = l;
        return 0;
}

/* Whoever was the only one takes the file along. */
static void release(int *fd, char **path, bool exclusive) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        if (*fd >= 0 && (exclusive || fcntl(*fd, F_OFD_SETLK, &lock) == 0))
                unlink(*path);
        if (*fd >= 0)
                close(*fd);
        *fd = -EBADF;
        free(*path);
        *path = NULL;
}

void image_unlock(struct image_lock *l) {
        release(&l->beside_fd, &l->beside, l->exclusive);
        release(&l->global_fd, &l->global, l->exclusive);
}
