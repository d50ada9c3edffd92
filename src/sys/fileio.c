/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

#define FIRST_GUESS 4096
#define TEMPORARY_NAME_MAX 300
#define LINK_TARGET_MAX 4096

static int read_whole(int dir_fd, const char *path, size_t max, bool one_record, char **ret, size_t *ret_size) {
        AUTO_CLOSE int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
        size_t allocated = max < FIRST_GUESS ? max + 2 : FIRST_GUESS, size = 0;
        char first[FIRST_GUESS],
                *data = first; /* most files are smaller, and memory that is not asked for costs nothing */
        AUTO_FREE char *bigger = NULL;

        if (fd < 0)
                return -errno;
        for (;;) {
                size_t room = allocated - size - 1;
                ssize_t n = read(fd, data + size, room);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > max)
                        return -EFBIG;
                if (one_record && (size_t) n < room / 2)
                        break;
                if (size + 1 == allocated) {
                        char *more = realloc(bigger, allocated * 2);

                        if (!more)
                                return -ENOMEM;
                        if (!bigger)
                                memcpy(more, first, size);
                        data = bigger = more;
                        allocated *= 2;
                }
        }
        if (!bigger) {
                bigger = malloc(size + 1);
                if (!bigger)
                        return -ENOMEM;
                memcpy(bigger, first, size);
        }
        bigger[size] = '\0';
        *ret = STEAL(bigger);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int read_file_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        return read_whole(dir_fd, path, max, false, ret, ret_size);
}

int read_record_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size) {
        return read_whole(dir_fd, path, max, true, ret, ret_size);
}

int read_text_at(int dir_fd, const char *path, char *ret, size_t size) {
        AUTO_CLOSE int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
        ssize_t n;

        if (fd < 0)
                return -errno;
        do
                n = read(fd, ret, size - 1);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        ret[n] = '\0';
        return 0;
}

int write_attribute_at(int dir_fd, const char *path, const char *data, size_t size) {
        AUTO_CLOSE int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
        ssize_t n;

        if (fd < 0)
                return -errno;
        do
                n = write(fd, data, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t) n == size ? 0 : -EIO;
}

int write_attribute_text_at(int dir_fd, const char *path, const char *text) {
        return write_attribute_at(dir_fd, path, text, strlen(text));
}

/* Hidden, so that readers of the directory do not take it for a record; unique among the threads of this process. Files are
 * opened with O_EXCL: should a forked child come by the same name, one of the two fails, and nothing is mixed up. */
static int temporary_name(const char *name, char ret[static TEMPORARY_NAME_MAX]) {
        static atomic_uint counter;
        static atomic_int pid; /* asked for once: a record is written with as few system calls as can be */
        int n;

        if (pid == 0)
                pid = (int) getpid();
        n = snprintf(ret, TEMPORARY_NAME_MAX, ".#%.200s.%d.%u", name, pid, atomic_fetch_add(&counter, 1));
        return n > 0 && n < TEMPORARY_NAME_MAX ? 0 : -ENAMETOOLONG;
}

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

static int write_new(int dir_fd, const char *name, const char *data, size_t size, mode_t mode, bool durable) {
        AUTO_CLOSE int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        int r;

        if (fd < 0)
                return -errno;
        r = write_all(fd, data, size);
        if (r >= 0 && durable && fsync(fd) < 0)
                r = -errno;
        return r;
}

int write_file_atomic_at(int dir_fd, const char *name, const char *data, size_t size, mode_t mode, bool durable) {
        char temporary[TEMPORARY_NAME_MAX];
        int r;

        r = temporary_name(name, temporary);
        if (r < 0)
                return r;
        r = write_new(dir_fd, temporary, data, size, mode, durable);
        if (r >= 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
                r = -errno;
        if (r < 0 && r != -EEXIST)
                unlinkat(dir_fd, temporary, 0);
        return r;
}

static bool is_link_to(int dir_fd, const char *name, const char *target) {
        char found[LINK_TARGET_MAX];
        ssize_t n = readlinkat(dir_fd, name, found, sizeof(found));

        return n >= 0 && (size_t) n == strlen(target) && memcmp(found, target, (size_t) n) == 0;
}

int symlink_atomic_at(int dir_fd, const char *target, const char *name) {
        char temporary[TEMPORARY_NAME_MAX];
        int r;

        /* The usual cases first: nothing is there, or the very same. */
        if (symlinkat(target, dir_fd, name) >= 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        if (is_link_to(dir_fd, name, target))
                return 0;
        r = temporary_name(name, temporary);
        if (r < 0)
                return r;
        if (symlinkat(target, dir_fd, temporary) < 0)
                return -errno;
        if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
                r = -errno;
                unlinkat(dir_fd, temporary, 0);
        }
        return r;
}

int mkdir_parents(const char *path, mode_t mode) {
        AUTO_FREE char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1;; p++) {
                char c = *p;

                if (c != '/' && c != '\0')
                        continue;
                *p = '\0';
                if (mkdir(copy, mode) < 0 && errno != EEXIST)
                        return -errno;
                if (c == '\0')
                        return 0;
                *p = c;
        }
}

int mkdir_below(const char *path, mode_t mode) {
        const char *slash = strrchr(path, '/');
        AUTO_FREE char *above = slash && slash > path ? strndup(path, (size_t) (slash - path)) : NULL;
        int r = 0;

        if (slash && slash > path)
                r = above ? mkdir_parents(above, 0755) : -ENOMEM;
        if (r >= 0 && mkdir(path, mode) < 0 && errno != EEXIST)
                r = -errno;
        return r;
}
