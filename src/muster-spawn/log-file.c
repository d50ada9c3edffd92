/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever writes holds a shared lock on the file (flock(2)); it says that the log is in use, and goes with us however we end.
 * Machines with names made up for one run would fill the directory in time: when a new file is made, those that nobody has
 * written to for longest make room. */
#include "muster-spawn/log-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "client/console-logs.h"
#include "sys/fileio.h"

#define MACHINES_MAX 256 /* logs in one directory */

void log_file_init(struct log_file *f, const char *directory, const char *machine, uint64_t size_max, unsigned files) {
        *f = (struct log_file){ .directory = directory,
                                .machine = machine,
                                .size_max = size_max,
                                .files = files,
                                .directory_fd = -EBADF,
                                .fd = -EBADF };
}

static void close_fd(int *fd) {
        if (*fd >= 0)
                close(*fd);
        *fd = -EBADF;
}

void log_file_done(struct log_file *f) {
        close_fd(&f->fd);
        close_fd(&f->directory_fd);
}

/* ---- the directory ---- */

static int open_directory(struct log_file *f) {
        AUTO_CLOSE int fd = -EBADF;
        struct stat st;
        int r;

        if (f->directory_fd >= 0)
                return 0;
        fd = openat(AT_FDCWD, f->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
                r = mkdir_below(f->directory, 0750);
                if (r < 0)
                        return r;
                fd = openat(AT_FDCWD, f->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        /* Where others can put files they can put a link in our way at any time. */
        if (st.st_uid != geteuid() || (st.st_mode & 0022))
                return -EPERM;
        f->directory_fd = STEAL_FD(fd);
        return 0;
}

struct old_log {
        char machine[MACHINE_NAME_MAX + 1];
        struct timespec written;
};

static bool is_older(const struct timespec *a, const struct timespec *b) {
        return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static bool is_in_use(int directory, const char *file) {
        AUTO_CLOSE int fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0;
}

/* The log that was written to least recently among those that nobody uses. Returns how many logs there are. */
static size_t find_oldest(int directory, DIR *d, struct old_log *ret) {
        struct dirent *entry;
        size_t n = 0;

        ret->machine[0] = '\0';
        while ((entry = readdir(d))) {
                char machine[MACHINE_NAME_MAX + 1];
                struct stat st;

                if (!console_log_machine_name(entry->d_name, machine) ||
                    fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                        continue;
                n++;
                if ((ret->machine[0] && !is_older(&st.st_mtim, &ret->written)) || is_in_use(directory, entry->d_name))
                        continue;
                memcpy(ret->machine, machine, sizeof(machine));
                ret->written = st.st_mtim;
        }
        return n;
}

static void remove_log(int directory, const char *machine) {
        char file[CONSOLE_LOG_NAME_SIZE];

        for (unsigned age = 0; age < CONSOLE_LOGS_FILES_MAX; age++) {
                console_log_file_name(machine, age, file);
                (void) unlinkat(directory, file, 0);
        }
}

/* Best effort: what cannot be removed stays. */
static void make_room(int directory) {
        int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
        struct old_log oldest;

        if (d && find_oldest(directory, d, &oldest) >= MACHINES_MAX && oldest.machine[0])
                remove_log(directory, oldest.machine);
        if (d)
                closedir(d);
        else if (copy >= 0)
                close(copy);
}

/* ---- the file ---- */

#define FLAGS (O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int check_file(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        if (st.st_nlink > 1)
                return -EMLINK;
        return st.st_uid == geteuid() ? 0 : -EPERM;
}

/* Who may look into the directory may read the log. */
static void share(const struct log_file *f, int fd) {
        struct stat st;

        if (fstat(f->directory_fd, &st) == 0)
                (void) !fchown(fd, (uid_t) -1, st.st_gid);
        (void) fchmod(fd, 0640);
}

/* Whoever wrote the last record was killed over it. */
static bool ends_in_the_middle(int fd) {
        off_t size = lseek(fd, 0, SEEK_END);
        char last;

        return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

static int open_file(struct log_file *f) {
        char name[CONSOLE_LOG_NAME_SIZE];
        AUTO_CLOSE int fd = -EBADF;
        int r;

        console_log_file_name(f->machine, 0, name);
        fd = openat(f->directory_fd, name, FLAGS);
        if (fd < 0 && errno == ENOENT) {
                make_room(f->directory_fd);
                fd = openat(f->directory_fd, name, FLAGS | O_CREAT | O_EXCL, 0600);
                if (fd >= 0)
                        share(f, fd);
                else if (errno == EEXIST) /* another machine of the name has just done it */
                        fd = openat(f->directory_fd, name, FLAGS);
        }
        if (fd < 0)
                return -errno;
        r = check_file(fd);
        if (r < 0)
                return r;
        f->torn = ends_in_the_middle(fd);
        (void) flock(fd, LOCK_SH | LOCK_NB); /* only somebody who removes it holds another lock */
        close_fd(&f->fd);
        f->fd = STEAL_FD(fd);
        return 0;
}

/* Whether the name still leads to the file that we write to. */
static bool is_current(const struct log_file *f, const struct stat *own) {
        char name[CONSOLE_LOG_NAME_SIZE];
        struct stat st;

        console_log_file_name(f->machine, 0, name);
        return fstatat(f->directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == own->st_dev &&
               st.st_ino == own->st_ino;
}

/* Each file takes the place of the one before it; the oldest goes. */
static int shift_files(const struct log_file *f) {
        char older[CONSOLE_LOG_NAME_SIZE], newer[CONSOLE_LOG_NAME_SIZE];

        console_log_file_name(f->machine, f->files - 1, older);
        if (f->files == 1)
                return unlinkat(f->directory_fd, older, 0) < 0 && errno != ENOENT ? -errno : 0;
        for (unsigned age = f->files - 1; age > 0; age--) {
                console_log_file_name(f->machine, age, older);
                console_log_file_name(f->machine, age - 1, newer);
                if (renameat(f->directory_fd, newer, f->directory_fd, older) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

/* A file that has room for size bytes more. */
static int prepare(struct log_file *f, size_t size) {
        struct stat st;
        int r = open_directory(f);

        if (r >= 0 && f->fd < 0)
                r = open_file(f);
        if (r < 0)
                return r;
        if (fstat(f->fd, &st) < 0)
                return -errno;
        if (st.st_nlink == 0)
                return open_file(f);
        if (st.st_size == 0 || (uint64_t) st.st_size + size <= f->size_max)
                return 0;
        if (is_current(f, &st)) {
                r = shift_files(f);
                if (r < 0)
                        return r;
        }
        return open_file(f);
}

int log_file_write(struct log_file *f, const char *records, size_t size) {
        ssize_t n;
        int r;

        r = prepare(f, size);
        if (r < 0)
                return r;
        if (f->torn && write(f->fd, "\n", 1) != 1)
                return -errno;
        f->torn = false;
        do
                n = write(f->fd, records, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        f->torn = n > 0 && (size_t) n < size && records[n - 1] != '\n';
        return (size_t) n == size ? 0 : -ENOSPC;
}
