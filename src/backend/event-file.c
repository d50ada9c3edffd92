/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of events as two files of lines: "current" grows by one write(2) for each event, and becomes "previous" when it is
 * full. They live on a tmpfs, so nothing is synced: they are meant to outlive us, not the host.
 *
 * A number is used once. What we cannot read may hold numbers, so behind a file that was set aside more of them are left out than
 * can have been in it; not so behind the torn line of a writer that was killed, for that event nobody has ever seen. */
#include "backend/event-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "codec/event-json.h"
#include "sys/fileio.h"
#include "sys/procfs.h"

#define CURRENT "current"
#define PREVIOUS "previous"
#define USUAL_SIZE 256                        /* bytes of an event, in memory or as a line, rather more than less */
#define READ_MAX ((size_t) 64 << 20)          /* bytes of a file; what we write is far below */
#define NUMBERS_IN_A_FILE (UINT64_C(1) << 20) /* no line is shorter than 64 bytes */

struct event_file {
        int dir_fd; /* RUN/muster/events */
        int fd;     /* CURRENT; -EBADF until load() */
        char *path;
        struct id128 boot_id;
        size_t size;     /* of CURRENT */
        size_t max_size; /* it is rotated before it becomes larger */
        size_t max_events;
        struct buf line; /* kept between writes */
};

int event_file_new(const char *run, size_t max_events, struct event_file **ret) {
        AUTO(event_file_freep) struct event_file *f = calloc(1, sizeof(*f));
        int r;

        if (!f)
                return -ENOMEM;
        f->dir_fd = f->fd = -EBADF;
        f->max_events = max_events;
        f->max_size = max_events * USUAL_SIZE;
        if (asprintf(&f->path, "%s/muster/events", run) < 0) {
                f->path = NULL;
                return -ENOMEM;
        }
        r = mkdir_parents(f->path, 0755);
        if (r < 0)
                return r;
        f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (f->dir_fd < 0)
                return -errno;
        r = proc_boot_id(&f->boot_id);
        if (r < 0)
                return r;
        *ret = STEAL(f);
        return 0;
}

void event_file_free(struct event_file *f) {
        if (!f)
                return;
        if (f->fd >= 0)
                close(f->fd);
        if (f->dir_fd >= 0)
                close(f->dir_fd);
        buf_done(&f->line);
        free(f->path);
        free(f);
}

/* ---- writing ---- */

static int open_current(struct event_file *f) {
        AUTO_CLOSE int fd =
                openat(f->dir_fd, CURRENT,
                       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0644);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADF;
        f->size = (size_t) st.st_size;
        f->fd = STEAL_FD(fd);
        return 0;
}

/* Whatever happens to it from outside, the journal does not grow for ever. */
static void rotate(struct event_file *f) {
        int old = f->fd, r;

        r = renameat(f->dir_fd, CURRENT, f->dir_fd, PREVIOUS) < 0 && errno != ENOENT ? -errno : open_current(f);
        if (r >= 0) {
                close(old);
                return;
        }
        log_warning_errno(r, "Cannot rotate %s/" CURRENT ", dropping what it has", f->path);
        if (ftruncate(old, 0) >= 0)
                f->size = 0;
}

static int event_save(void *impl, const struct event *e) {
        struct event_file *f = impl;
        ssize_t n;
        int r;

        buf_clear(&f->line);
        r = event_line_encode(e, &f->line);
        if (r < 0)
                return r;
        if (f->size > 0 && f->size + f->line.size > f->max_size)
                rotate(f);
        do
                n = write(f->fd, f->line.data, f->line.size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        if ((size_t) n < f->line.size) /* no space: the half of a line must not be in the way of the next */
                return ftruncate(f->fd, (off_t) f->size) < 0 ? -errno : -ENOSPC;
        f->size += (size_t) n;
        return 0;
}

/* ---- reading ---- */

struct loading {
        struct event_file *f;
        void (*found)(void *userdata, struct event *e);
        void *userdata;
        uint64_t last;
        bool unreadable; /* there may be numbers that we have not seen */
};

static int on_event(void *userdata, struct event **e) {
        struct loading *l = userdata;

        l->last = (*e)->sequence;
        l->found(l->userdata, STEAL(*e));
        return 0;
}

static int on_good_line(void *userdata, struct event **e) {
        return event_line_encode(*e, userdata);
}

struct part {
        const char *name;
        char *text;       /* owned; NULL: there is no file, or none that is read */
        const char *from; /* what of it is wanted */
        size_t size;      /* of that */
};

/* Out of the way of every reader, but there for whoever wants to know; the events in it stay. */
static int set_aside(struct event_file *f, const struct part *p, uint64_t after, const char *why) {
        AUTO_FREE char *aside = NULL;
        AUTO_BUF struct buf good = BUF_EMPTY;
        struct diag d;
        int r = 0;

        log_warning("Setting aside %s/%s: %s.", f->path, p->name, why);
        if (p->text)
                r = event_lines_decode(p->from, p->size, after, on_good_line, &good, &d);
        if (r < 0)
                return r;
        if (asprintf(&aside, "%s.bad", p->name) < 0) {
                aside = NULL;
                return -ENOMEM;
        }
        if (renameat(f->dir_fd, p->name, f->dir_fd, aside) < 0 && unlinkat(f->dir_fd, p->name, 0) < 0 &&
            errno != ENOENT)
                return -errno;
        return good.size > 0 ? write_file_atomic_at(f->dir_fd, p->name, good.data, good.size, 0644, false) : 0;
}

static bool is_regular(const struct event_file *f, const char *name) {
        struct stat st;

        return fstatat(f->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode);
}

/* 0, also when there is nothing. */
static int read_part(struct loading *l, struct part *p) {
        int r = is_regular(l->f, p->name) ? read_file_at(l->f->dir_fd, p->name, READ_MAX, &p->text, &p->size) : -ELOOP;

        p->from = p->text;
        if (r >= 0 || r == -ENOENT)
                return 0;
        if (r != -ELOOP && r != -EFBIG)
                return r;
        l->unreadable = true;
        return set_aside(l->f, p, 0, r == -EFBIG ? "it is too large" : "it is no regular file");
}

static size_t count_lines(const struct part *p) {
        size_t n = 0;

        for (const char *at = p->from, *end = at + p->size; at && (at = memchr(at, '\n', (size_t) (end - at))); at++)
                n++;
        return n;
}

/* Decoding is what takes time when we start: it is not done for lines that would be dropped again. */
static void skip_lines(struct part *p, size_t n) {
        for (; n > 0; n--) {
                const char *next = (const char *) memchr(p->from, '\n', p->size) + 1;

                p->size -= (size_t) (next - p->from);
                p->from = next;
        }
}

static int load_part(struct loading *l, const struct part *p) {
        uint64_t after = l->last;
        struct diag d = { .line = 0 };
        char why[sizeof(d.text) + 32];
        int r;

        if (!p->text)
                return 0;
        r = event_lines_decode(p->from, p->size, after, on_event, l, &d);
        if (r <= 0)
                return r;
        l->unreadable |= r == EVENT_LINES_BAD;
        snprintf(why, sizeof(why), "line %u of those looked at: %s", d.line, d.text);
        return set_aside(l->f, p, after, why);
}

static int load_parts(struct loading *l, struct part *previous, struct part *current) {
        size_t max = l->f->max_events, n_previous, n_current;
        int r;

        r = read_part(l, previous);
        if (r >= 0)
                r = read_part(l, current);
        if (r < 0)
                return r;
        n_previous = count_lines(previous);
        n_current = count_lines(current);
        skip_lines(current, n_current > max ? n_current - max : 0);
        skip_lines(previous, n_current >= max               ? n_previous
                             : n_previous > max - n_current ? n_previous + n_current - max
                                                            : 0);
        r = load_part(l, previous);
        return r < 0 ? r : load_part(l, current);
}

static int event_load(void *impl, void (*found)(void *userdata, struct event *e), void *userdata, uint64_t *ret_last) {
        struct loading l = { .f = impl, .found = found, .userdata = userdata };
        struct part previous = { .name = PREVIOUS }, current = { .name = CURRENT };
        int r;

        r = load_parts(&l, &previous, &current);
        free(previous.text);
        free(current.text);
        if (r >= 0)
                r = open_current(l.f);
        if (r >= 0)
                *ret_last = l.last + (l.unreadable ? NUMBERS_IN_A_FILE : 0);
        return r;
}

struct event_port event_file_port(struct event_file *f) {
        return (struct event_port){
                .impl = f,
                .save = event_save,
                .load = event_load,
                .boot_id = f->boot_id,
                .max_events = f->max_events,
                .max_bytes = f->max_size,
        };
}
