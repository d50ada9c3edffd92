/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All files are opened before the first is read, the youngest first: one that is renamed in the meantime is then found twice,
 * which its inode tells, and never missed. A file that is held open keeps its inode, so no other can be taken for it. */
#include "muster/log-read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/console-logs.h"
#include "muster/log-ask.h"

#define CHUNK 65536

struct open_file {
        int fd;
        dev_t dev;
        ino_t ino;
};

struct log_reader {
        int directory_fd;        /* -EBADF: */
        const struct options *o; /* the registry is asked */
        char machine[MACHINE_NAME_MAX + 1];
        struct open_file
                files[2 * CONSOLE_LOGS_FILES_MAX]; /* oldest first; twice: those of before, and those that came */
        size_t n, at;
        struct buf data;
        size_t used;   /* of the data */
        bool in_waste; /* in the middle of something too long to be a record */
        uint64_t skipped;
};

static void close_files(struct open_file *files, size_t n) {
        for (size_t i = 0; i < n; i++)
                close(files[i].fd);
}

void log_reader_free(struct log_reader *r) {
        if (!r)
                return;
        close_files(r->files, r->n);
        if (r->directory_fd >= 0)
                close(r->directory_fd);
        buf_done(&r->data);
        free(r);
}

static bool is_among(const struct open_file *f, const struct open_file *files, size_t n, size_t *ret) {
        for (size_t i = 0; i < n; i++)
                if (files[i].dev == f->dev && files[i].ino == f->ino) {
                        if (ret)
                                *ret = i;
                        return true;
                }
        return false;
}

static int take_file(int fd, struct open_file *ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        *ret = (struct open_file){ fd, st.st_dev, st.st_ino };
        return 0;
}

/* -ENOENT: there is none of that age. */
static int open_one(const struct log_reader *r, unsigned age, struct open_file *ret) {
        char name[CONSOLE_LOG_NAME_SIZE];
        AUTO_CLOSE int fd = -EBADF;
        int q;

        console_log_file_name(r->machine, age, name);
        fd = openat(r->directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        q = take_file(fd, ret);
        if (q >= 0)
                fd = -EBADF;
        return q;
}

/* Youngest first. */
static int find_all(const struct log_reader *r, struct open_file found[static CONSOLE_LOGS_FILES_MAX], size_t *ret_n) {
        size_t n = 0;

        for (unsigned age = 0; age < CONSOLE_LOGS_FILES_MAX; age++) {
                int q = open_one(r, age, &found[n]);

                if (q == -ENOENT)
                        continue;
                if (q < 0) {
                        close_files(found, n);
                        return q;
                }
                if (is_among(&found[n], found, n, NULL))
                        close(found[n].fd);
                else
                        n++;
        }
        *ret_n = n;
        return 0;
}

/* The registry does as find_all() does. */
static int ask_for_all(const struct log_reader *r, struct open_file found[static CONSOLE_LOGS_FILES_MAX],
                       size_t *ret_n) {
        int fds[CONSOLE_LOGS_FILES_MAX], q;
        size_t n = 0, n_fds;

        q = log_ask_registry(r->o, r->machine, fds, &n_fds);
        if (q < 0)
                return q;
        for (size_t i = 0; i < n_fds; i++)
                if (take_file(fds[i], &found[n]) < 0 || is_among(&found[n], found, n, NULL))
                        close(fds[i]);
                else
                        n++;
        *ret_n = n;
        return 0;
}

/* All that there are, oldest first. */
static int open_all(const struct log_reader *r, struct open_file files[static CONSOLE_LOGS_FILES_MAX], size_t *ret_n) {
        struct open_file found[CONSOLE_LOGS_FILES_MAX];
        size_t n;
        int q = r->directory_fd >= 0 ? find_all(r, found, &n) : ask_for_all(r, found, &n);

        if (q < 0)
                return q;
        for (size_t i = 0; i < n; i++)
                files[i] = found[n - 1 - i];
        *ret_n = n;
        return 0;
}

/* directory: NULL: o counts. */
static int reader_new(const char *directory, const struct options *o, const char *machine, struct log_reader **ret) {
        AUTO(log_reader_freep) struct log_reader *r = calloc(1, sizeof(*r));
        int q;

        if (!r)
                return -ENOMEM;
        memcpy(r->machine, machine, strnlen(machine, MACHINE_NAME_MAX));
        r->o = o;
        r->directory_fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;
        if (directory && r->directory_fd < 0)
                return -errno;
        q = open_all(r, r->files, &r->n);
        if (q < 0)
                return q;
        if (r->n == 0)
                return -ENOENT;
        *ret = STEAL(r);
        return 0;
}

int log_reader_open(const char *directory, const char *machine, struct log_reader **ret) {
        return reader_new(directory, NULL, machine, ret);
}

int log_reader_ask(const struct options *o, const char *machine, struct log_reader **ret) {
        return reader_new(NULL, o, machine, ret);
}

/* 1: there is more now. 0: the youngest file is at its end. */
static int read_more(struct log_reader *r) {
        ssize_t n;

        buf_consume(&r->data, r->used);
        r->used = 0;
        if (buf_reserve(&r->data, CHUNK) < 0)
                return -ENOMEM;
        for (;;) {
                n = read(r->files[r->at].fd, r->data.data + r->data.size, CHUNK);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                r->data.size += (size_t) n;
                if (n > 0)
                        return 1;
                if (r->at + 1 == r->n)
                        return 0;
                r->skipped += r->data.size > 0; /* its writer was killed in the middle */
                r->data.size = 0;
                r->in_waste = false;
                r->at++;
        }
}

/* The next whole line in the data, or NULL. */
static const char *take_line(struct log_reader *r, size_t *ret_size) {
        size_t left = r->data.size - r->used;
        const char *line, *newline;

        if (left == 0)
                return NULL;
        line = r->data.data + r->used;
        newline = memchr(line, '\n', left);
        if (newline) {
                *ret_size = (size_t) (newline - line);
                r->used += *ret_size + 1;
                return line;
        }
        if (left > CONSOLE_RECORD_MAX) { /* nothing of ours */
                r->used = r->data.size;
                r->in_waste = true;
        }
        return NULL;
}

int log_reader_next(struct log_reader *r, struct console_record *ret) {
        for (;;) {
                const char *line;
                size_t size;
                int q;

                line = take_line(r, &size);
                if (!line) {
                        q = read_more(r);
                        if (q <= 0)
                                return q;
                } else if (!r->in_waste && console_record_decode(line, size, ret) >= 0)
                        return 1;
                else {
                        r->in_waste = false;
                        r->skipped += size > 0; /* an empty line ends a record that was cut off */
                }
        }
}

uint64_t log_reader_skipped(const struct log_reader *r) {
        return r->skipped;
}

int log_reader_rewind(struct log_reader *r) {
        for (size_t i = 0; i < r->n; i++)
                if (lseek(r->files[i].fd, 0, SEEK_SET) < 0)
                        return -errno;
        r->at = r->used = 0;
        buf_clear(&r->data);
        r->in_waste = false;
        r->skipped = 0;
        return 0;
}

/* Does the file that is written to have another name now, or none? The kernel tells that also who cannot see its directory. The registry
 * is asked only then: it may have to ask somebody in turn. */
static bool was_renamed(const struct log_reader *r) {
        char name[CONSOLE_LOG_NAME_SIZE], own[32], path[4096];
        const char *slash;
        ssize_t n;

        snprintf(own, sizeof(own), "/proc/self/fd/%d", r->files[r->n - 1].fd);
        n = readlink(own, path, sizeof(path) - 1);
        if (n < 0)
                return true;
        path[n] = '\0';
        slash = strrchr(path, '/');
        console_log_file_name(r->machine, 0, name);
        return !slash || !streq(slash + 1, name);
}

int log_reader_renew(struct log_reader *r) {
        struct open_file found[CONSOLE_LOGS_FILES_MAX];
        size_t n, first = 0;
        bool known;
        int q;

        if (r->directory_fd < 0 && !was_renamed(r))
                return 0;
        q = open_all(r, found, &n);
        if (q < 0)
                return q;
        known = is_among(&r->files[r->n - 1], found, n, &first);
        first = known ? first + 1 : 0;
        close_files(found, first);
        /* What has been read is not needed any more. */
        close_files(r->files, r->at);
        memmove(r->files, r->files + r->at, (r->n - r->at) * sizeof(*r->files));
        r->n -= r->at;
        r->at = 0;
        if (r->n + n - first > ELEMENTS(r->files)) { /* never: all that is there has been read before this is called */
                close_files(found + first, n - first);
                return -EOVERFLOW;
        }
        memcpy(r->files + r->n, found + first, (n - first) * sizeof(*found));
        r->n += n - first;
        return !known && n > 0;
}
