/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /var/tmp is everybody's: only directories of our own user are looked at, through their descriptors. One is made, locked, and
 * filled, in this order; so one that has something in it and no lock was left behind, and so was an empty one that is not new. */
#include "muster-spawn/throw-away.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/remove-tree.h"

#define PLACE "/var/tmp"
#define NAME "muster-spawn-"
#define NEW_SECONDS 2

int throw_away_make(char path[static sizeof(THROW_AWAY_PATTERN)]) {
        int fd, r;

        memcpy(path, THROW_AWAY_PATTERN, sizeof(THROW_AWAY_PATTERN));
        if (!mkdtemp(path))
                return -errno;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && flock(fd, LOCK_EX) == 0)
                return fd;
        r = -errno;
        if (fd >= 0)
                close(fd);
        rmdir(path);
        return r;
}

static bool was_left_behind(int fd) {
        struct timespec now;
        struct stat st;

        if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0)
                return false;
        if (faccessat(fd, "src", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return true;
        return clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec > st.st_ctim.tv_sec + NEW_SECONDS;
}

void throw_away_clean(void) {
        DIR *place = opendir(PLACE);
        struct dirent *e;

        if (!place)
                return;
        while ((e = readdir(place))) {
                AUTO_CLOSE int fd = -EBADF;

                if (!startswith(e->d_name, NAME))
                        continue;
                fd = openat(dirfd(place), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0 && was_left_behind(fd))
                        remove_tree_at(dirfd(place), e->d_name);
        }
        closedir(place);
}
