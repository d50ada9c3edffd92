/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where they are is everybody's (/var/tmp), or somebody else's: only directories of our own user are looked at, through their
 * descriptors. One is made, locked, and filled, in this order; so one that has something in it and no lock was left behind, and so was
 * an empty one that is not new. */
#include "muster-spawn/throw-away.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
#define RANDOM "XXXXXX" /* mkdtemp(3) */
#define NEW_SECONDS 2

static const char *name_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

char *throw_away_beside(const char *upper) {
        const char *name = name_of(upper);
        char *pattern;

        return asprintf(&pattern, "%.*s.#%s-" RANDOM, (int) (name - upper), upper, name) < 0 ? NULL : pattern;
}

int throw_away_make(char *pattern) {
        int fd, r;

        if (!mkdtemp(pattern))
                return -errno;
        fd = openat(AT_FDCWD, pattern, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && flock(fd, LOCK_EX) == 0)
                return fd;
        r = -errno;
        if (fd >= 0)
                close(fd);
        rmdir(pattern);
        return r;
}

/* content: what is in it from the beginning of its use on. */
static bool was_left_behind(int fd, const char *content) {
        struct timespec now;
        struct stat st;

        if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0)
                return false;
        if (faccessat(fd, content, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return true;
        return clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec > st.st_ctim.tv_sec + NEW_SECONDS;
}

/* Whoever likes names such as ours keeps what is in there: a work directory has only what overlayfs makes. */
static bool is_work_directory(int fd) {
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *e;
        bool fits = d;

        while (d && (e = readdir(d)))
                fits &= streq(e->d_name, ".") || streq(e->d_name, "..") || streq(e->d_name, "work") ||
                        streq(e->d_name, "index");
        if (d)
                closedir(d);
        else if (copy >= 0)
                close(copy);
        return fits;
}

static void clean(const char *place, const char *prefix, bool work) {
        DIR *d = opendir(place);
        struct dirent *e;

        if (!d)
                return;
        while ((e = readdir(d))) {
                const char *random = startswith(e->d_name, prefix);
                AUTO_CLOSE int fd = -EBADF;

                if (!random || strlen(random) != strlen(RANDOM))
                        continue;
                fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0 && (!work || is_work_directory(fd)) && was_left_behind(fd, work ? "work" : "src"))
                        remove_tree_at(dirfd(d), e->d_name);
        }
        closedir(d);
}

void throw_away_clean(void) {
        clean(PLACE, NAME, false);
}

void throw_away_clean_beside(const char *upper) {
        AUTO_FREE char *pattern = throw_away_beside(upper), *place = NULL;
        const char *name = pattern ? name_of(pattern) : NULL;

        if (!pattern || asprintf(&place, "%.*s.", (int) (name - pattern), pattern) < 0) {
                place = NULL;
                return;
        }
        pattern[strlen(pattern) - strlen(RANDOM)] = '\0';
        clean(place, name, true);
}
