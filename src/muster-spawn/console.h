/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/console.h: bytes between the payload's pseudo terminal and our standard input and output. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/hot-keys.h"
#include "base/tint.h"
#include "muster-spawn/console-log.h"
#include "muster-spawn/console-look.h"
#include "spec/spec.h"

#define CONSOLE_BUFFER 4096

/* One direction: what was read and is not written yet. */
struct console_flow {
        int from, to; /* -EBADF: this end is over */
        size_t begin, end;
        char data[CONSOLE_BUFFER];
};

/* One of our standard descriptors, and what to undo. */
struct console_end {
        int fd;             /* to use: the descriptor itself, or a private, non-blocking reopening of it */
        int original;       /* 0 or 1 */
        int old_flags;      /* file status flags to set again, or negative */
        bool terminal, raw; /* raw: modes are to be restored */
        struct termios modes;
};

struct console {
        enum console_mode mode;
        int master;
        int spare; /* a slave that stays open, so that the payload may close and reopen its own */
        bool hung_up, draining, said_end;
        size_t drained;
        struct console_end in, out;
        struct console_flow typed, shown;
        struct hot_keys keys;
        struct tint tint;
        char untinted[CONSOLE_BUFFER / 4]; /* read, and not in shown yet */
        size_t n_untinted;
        char last;                       /* byte shown */
        struct console_log *log;         /* borrowed; NULL: none */
        const struct console_look *look; /* borrowed; NULL: nothing was told to the terminal */
};

/* What to wait for; poll(2) slots. */
enum { CONSOLE_POLL_MASTER, CONSOLE_POLL_IN, CONSOLE_POLL_OUT, _CONSOLE_POLL_MAX };

/* master, log and look are borrowed; log may be NULL, and so may look, which is for a terminal that is typed at. With CONSOLE_PIPE there
 * is nothing to do, nor, without a log, with CONSOLE_PASSIVE before console_drain(). */
void console_start(struct console *c, enum console_mode mode, int master, struct console_log *log,
                   const struct console_look *look);
/* Fills all slots, -1 where there is nothing to wait for. Returns the timeout, in milliseconds. */
int console_poll(const struct console *c, struct pollfd slots[static _CONSOLE_POLL_MAX]);
/* Moves bytes as far as that goes without waiting; what the user asked for by hot keys. */
enum hot_key console_move(struct console *c, const struct pollfd slots[static _CONSOLE_POLL_MAX]);
/* The size of our terminal changed. */
void console_resize(struct console *c);
/* We were stopped and go on: the shell has changed the modes of our terminal. */
void console_continue(struct console *c);
/* Our terminal as it was for the time of a message, then raw again. */
void console_pause(struct console *c);
void console_resume(struct console *c);
/* The payload has ended: no more input, and what it left behind is to be shown, then what ends it (newline: also a line that the
 * payload did not end). False: nothing is left. */
bool console_drain(struct console *c, bool newline);
/* Restores our terminal. newline: as above, for one that was not drained. */
void console_stop(struct console *c, bool newline);
