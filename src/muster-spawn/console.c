/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's terminal belongs to the devpts of its own container; ours is never handed to it (but with --pipe), so
 * it cannot push bytes into the input of our shell (TIOCSTI, ioctl_tty(2)): they end up in its own.
 *
 * Nothing waits but poll(2). Our standard descriptors are shared with whoever started us, and O_NONBLOCK belongs to
 * what is shared; so terminals and pipes are opened once more for ourselves. */
#include "muster-spawn/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/terminal.h"

#define REOPEN_MSEC 250          /* how often a terminal that nobody has open is looked at again */
#define DRAIN_MAX (1024 * 1024U) /* far more than a terminal holds: ends on those who outlive PID 1 and go on writing */

static uint64_t now_usec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* ---- our standard input and output ---- */

static int reopen(int fd, int flags) {
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return openat(AT_FDCWD, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static void end_open(struct console_end *e, int fd, int flags) {
        struct stat st;

        *e = (struct console_end){ .fd = -EBADF, .original = fd, .old_flags = -1 };
        if (fstat(fd, &st) < 0)
                return;
        e->fd = fd;
        e->terminal = S_ISCHR(st.st_mode) && tcgetattr(fd, &e->modes) == 0;
        if (e->terminal || S_ISFIFO(st.st_mode)) {
                int own = reopen(fd, flags);

                if (own >= 0) {
                        e->fd = own;
                        return;
                }
        } else if (!S_ISSOCK(st.st_mode))
                return; /* files never keep us waiting, and have an offset that is to be kept */
        e->old_flags = fcntl(fd, F_GETFL);
        if (e->old_flags >= 0)
                (void) fcntl(fd, F_SETFL, e->old_flags | O_NONBLOCK);
}

static void end_close(struct console_end *e) {
        if (e->old_flags >= 0)
                (void) fcntl(e->original, F_SETFL, e->old_flags);
        if (e->fd >= 0 && e->fd != e->original)
                close(e->fd);
        e->fd = e->old_flags = -EBADF;
        e->terminal = false;
}

static void modes_set(struct console *c) {
        if (c->in.terminal && terminal_is_foreground(c->in.original))
                c->in.raw = terminal_set_raw(c->in.original, &c->in.modes) == 0;
        if (c->out.terminal && terminal_is_foreground(c->out.original))
                c->out.raw = terminal_set_raw_output(c->out.original) == 0;
}

static void modes_restore(struct console *c) {
        if (c->out.raw)
                (void) terminal_restore(c->out.original, &c->out.modes);
        if (c->in.raw)
                (void) terminal_restore(c->in.original, &c->in.modes);
        c->in.raw = c->out.raw = false;
}

/* ---- bytes ---- */

static bool flow_is_empty(const struct console_flow *f) {
        return f->begin == f->end;
}

/* Positive: bytes came. 0: this end is over. -EAGAIN, or another negative errno. */
static int flow_fill(struct console_flow *f) {
        ssize_t n;

        do
                n = read(f->from, f->data, sizeof(f->data));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        f->begin = 0;
        f->end = (size_t) n;
        return (int) n;
}

/* False: nobody will ever read this, and it has been dropped. */
static bool flow_empty(struct console_flow *f) {
        while (!flow_is_empty(f) && f->to >= 0) {
                ssize_t n = write(f->to, f->data + f->begin, f->end - f->begin);

                if (n < 0 && errno == EAGAIN)
                        return true;
                if (n < 0 && errno != EINTR)
                        break;
                if (n > 0)
                        f->begin += (size_t) n;
        }
        if (flow_is_empty(f))
                return true;
        f->begin = f->end = 0;
        return false;
}

/* As much of what was read as the colour leaves room for. */
static void tint_more(struct console *c) {
        size_t n = c->n_untinted;

        c->shown.begin = 0;
        c->shown.end = tint_feed(&c->tint, c->untinted, &n, c->shown.data, sizeof(c->shown.data));
        c->n_untinted -= n;
        memmove(c->untinted, c->untinted + n, c->n_untinted);
}

/* The machine goes on when nobody looks at it any more: its output is read, so that it does not block, and dropped. */
static void show(struct console *c) {
        do {
                if (c->n_untinted > 0 && flow_is_empty(&c->shown))
                        tint_more(c);
                if (!flow_empty(&c->shown))
                        c->shown.to = -EBADF;
        } while (c->n_untinted > 0 && flow_is_empty(&c->shown));
}

static int fill_tinted(struct console *c) {
        ssize_t n;

        do
                n = read(c->shown.from, c->untinted, sizeof(c->untinted));
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        c->last = c->untinted[n - 1];
        if (c->log)
                console_log_take(c->log, c->untinted, (size_t) n);
        c->n_untinted = (size_t) n;
        tint_more(c);
        return (int) n;
}

static int fill_plain(struct console *c) {
        int n = flow_fill(&c->shown);

        if (n > 0)
                c->last = c->shown.data[n - 1];
        if (n > 0 && c->log)
                console_log_take(c->log, c->shown.data, (size_t) n);
        return n;
}

/* Bytes of the payload. False: none for now. */
static bool take_shown(struct console *c) {
        int n = c->tint.size > 0 ? fill_tinted(c) : fill_plain(c);

        if (n <= 0 && n != -EAGAIN)
                c->hung_up = true; /* -EIO: nobody has the other end open (pty(7)), until somebody opens it again */
        return n > 0;
}

/* The same while nothing is shown (CONSOLE_PASSIVE): for the log. What the terminal alone would have held, about as much as the
 * buffer does, is shown at the end. */
static void take_unseen(struct console *c) {
        struct console_flow unseen = { .from = c->master, .to = -EBADF };
        int n = flow_fill(&unseen);
        size_t room = sizeof(c->shown.data) - c->shown.end;

        if (n <= 0) {
                c->hung_up = n != -EAGAIN;
                return;
        }
        console_log_take(c->log, unseen.data, (size_t) n);
        if ((size_t) n < room)
                room = (size_t) n;
        memcpy(c->shown.data + c->shown.end, unseen.data, room);
        c->shown.end += room;
        if (room > 0)
                c->last = c->shown.data[c->shown.end - 1];
}

static bool is_hidden(const struct console *c) {
        return c->mode == CONSOLE_PASSIVE && !c->draining;
}

static enum hot_key take_typed(struct console *c) {
        enum hot_key wanted = HOT_KEY_NONE;
        uint64_t now;
        int n;

        n = flow_fill(&c->typed);
        if (n <= 0) {
                if (n != -EAGAIN)
                        c->typed.from = -EBADF;
                return HOT_KEY_NONE;
        }
        now = now_usec();
        for (int i = 0; i < n; i++) {
                enum hot_key key = hot_keys_feed(&c->keys, (uint8_t) c->typed.data[i], now);

                if (key != HOT_KEY_NONE && wanted != HOT_KEY_KILL)
                        wanted = key;
        }
        return wanted;
}

/* The colour is for the rest of the screen, too. */
static void look_begin(struct console *c, const struct console_look *look) {
        char *end = stpcpy(c->shown.data, look->begin);

        tint_init(&c->tint, look->background);
        if (c->tint.size > 0)
                end = stpcpy(stpcpy(end, c->tint.sequence), "\033[J");
        c->shown.end = (size_t) (end - c->shown.data);
        c->look = look;
}

/* Behind all that the payload has written. newline: end a line that it did not. */
static void look_end(struct console *c, bool newline) {
        char *end = c->shown.data;

        if (c->tint.size > 0)
                end = stpcpy(end, "\033[0m");
        if (newline && c->out.terminal && c->last != '\n')
                end = stpcpy(end, c->out.raw ? "\r\n" : "\n");
        if (c->look)
                end = stpcpy(end, c->look->end);
        c->shown.begin = c->n_untinted = 0;
        c->shown.end = (size_t) (end - c->shown.data);
        c->said_end = true;
}

/* ---- what supervise() calls ---- */

void console_start(struct console *c, enum console_mode mode, int master, struct console_log *log,
                   const struct console_look *look) {
        /* Not all of it: the buffers need no zeros. */
        c->mode = mode;
        c->master = master;
        c->spare = c->shown.from = c->shown.to = c->typed.from = c->typed.to = -EBADF;
        c->shown.begin = c->shown.end = c->typed.begin = c->typed.end = 0;
        c->in = c->out = (struct console_end){ .fd = -EBADF, .old_flags = -1 };
        c->keys = (struct hot_keys){ 0 };
        tint_init(&c->tint, NULL);
        c->n_untinted = 0;
        c->hung_up = c->draining = c->said_end = false;
        c->drained = 0;
        c->last = '\n';
        c->log = log;
        c->look = NULL;
        if (mode == CONSOLE_PIPE)
                return;
        c->shown.from = master;
        (void) fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
        if (mode != CONSOLE_PASSIVE || log)
                c->spare = terminal_open_peer(master, O_RDWR);
        if (mode == CONSOLE_PASSIVE)
                return;
        end_open(&c->out, STDOUT_FILENO, O_WRONLY);
        c->shown.to = c->out.fd;
        if (mode == CONSOLE_INTERACTIVE) {
                end_open(&c->in, STDIN_FILENO, O_RDONLY);
                c->typed.from = c->in.fd;
                c->typed.to = master;
                if (c->out.terminal && look)
                        look_begin(c, look);
        }
        console_resize(c);
        modes_set(c);
}

int console_poll(const struct console *c, struct pollfd slots[static _CONSOLE_POLL_MAX]) {
        struct pollfd *master = &slots[CONSOLE_POLL_MASTER];

        for (int i = 0; i < _CONSOLE_POLL_MAX; i++)
                slots[i] = (struct pollfd){ .fd = -1 };
        if (c->shown.from < 0 || (is_hidden(c) && !c->log))
                return -1;
        if (is_hidden(c)) {
                if (!c->hung_up)
                        *master = (struct pollfd){ .fd = c->master, .events = POLLIN };
                return c->hung_up ? REOPEN_MSEC : -1;
        }
        /* Neither end is read before the other has taken all. */
        if (flow_is_empty(&c->shown) && !c->draining)
                master->events |= POLLIN;
        if (!flow_is_empty(&c->shown))
                slots[CONSOLE_POLL_OUT] = (struct pollfd){ .fd = c->shown.to, .events = POLLOUT };
        if (!flow_is_empty(&c->typed))
                master->events |= POLLOUT;
        else
                slots[CONSOLE_POLL_IN] = (struct pollfd){ .fd = c->typed.from, .events = POLLIN };
        if (master->events && !c->hung_up) /* else it would say POLLHUP, whatever it is asked for */
                master->fd = c->master;
        return c->hung_up && !c->draining ? REOPEN_MSEC : -1;
}

enum hot_key console_move(struct console *c, const struct pollfd slots[static _CONSOLE_POLL_MAX]) {
        short master = slots[CONSOLE_POLL_MASTER].revents;
        enum hot_key key = HOT_KEY_NONE;

        c->hung_up = false;
        if (is_hidden(c)) {
                if (master & POLLIN)
                        take_unseen(c);
                else if (master & (POLLHUP | POLLERR))
                        c->hung_up = true;
                return HOT_KEY_NONE;
        }
        if (slots[CONSOLE_POLL_OUT].revents)
                show(c);
        if ((master & POLLIN) && take_shown(c))
                show(c);
        else if (master & (POLLHUP | POLLERR))
                c->hung_up = true;
        if (slots[CONSOLE_POLL_IN].revents)
                key = take_typed(c);
        if (slots[CONSOLE_POLL_IN].revents || (master & POLLOUT))
                (void) flow_empty(&c->typed);
        return key;
}

void console_resize(struct console *c) {
        if (c->out.terminal)
                (void) terminal_copy_size(c->out.original, c->master);
        else if (c->in.terminal)
                (void) terminal_copy_size(c->in.original, c->master);
}

void console_continue(struct console *c) {
        modes_set(c);
        console_resize(c);
}

void console_pause(struct console *c) {
        modes_restore(c);
}

void console_resume(struct console *c) {
        modes_set(c);
}

static void drain_begin(struct console *c) {
        c->draining = true;
        c->typed.from = -EBADF; /* what is typed from now on is for the shell */
        c->typed.begin = c->typed.end = 0;
        if (c->mode == CONSOLE_PASSIVE) {
                end_open(&c->out, STDOUT_FILENO, O_WRONLY);
                c->shown.to = c->out.fd;
                modes_set(c);
                show(c);
        }
}

bool console_drain(struct console *c, bool newline) {
        if (c->shown.from < 0)
                return false;
        if (!c->draining)
                drain_begin(c);
        for (;;) {
                if (!flow_is_empty(&c->shown))
                        return true; /* our output is full */
                if (c->said_end)
                        return false;
                if (c->drained < DRAIN_MAX && take_shown(c))
                        c->drained += c->shown.end;
                else
                        look_end(c, newline);
                show(c);
        }
}

void console_stop(struct console *c, bool newline) {
        if (!c->said_end) { /* interrupted: as much of it as there is room for */
                look_end(c, newline);
                show(c);
        }
        modes_restore(c);
        end_close(&c->in);
        end_close(&c->out);
        if (c->spare >= 0)
                close(c->spare);
        c->spare = c->shown.from = -EBADF;
}
