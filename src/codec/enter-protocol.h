/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/enter-protocol.h: what muster-enter is told, and what it reports; little-endian.
 *
 * Request, a file of 36 bytes and strings: u32 "MER1", u8 kind, u8 flags, u16 0, u16 rows, u16 columns, u64 timeout in
 * microseconds, u32 words, u32 variables, u32 bytes of strings, u32 0; then, each with its NUL: user, directory (both may be
 * empty), the words, the variables.
 * Report, a packet of 16 bytes and a text: u32 "MES1", u8 kind, u8 0, u16 0, i32 value, u32 0; then the text without a NUL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "core/session.h"

#define ENTER_REQUEST_MAX (SESSION_TEXT_MAX + 8192)
#define ENTER_REPORT_TEXT_MAX ((size_t) 400)
#define ENTER_REPORT_MAX (16 + ENTER_REPORT_TEXT_MAX)
#define ENTER_SIGNAL_SIZE ((size_t) 1) /* what a client may say: a packet with the number of a signal for the command */

/* Descriptors that muster-enter is started with, beside standard input, output and error. */
#define ENTER_FD_REQUEST 3 /* or a socket on which all of these are still to come: sys/spawn-enter.h */
#define ENTER_FD_LEADER 4  /* pidfd of the machine's leader */
#define ENTER_FD_STATUS 5
#define ENTER_FD_STARTING 6 /* held open until the program runs, for whoever started us; or the null device */

/* What a failure of our own exits with, as env(1) and timeout(1) have it. */
#define ENTER_EXIT_TIMEOUT 124
#define ENTER_EXIT_FAILURE 125
#define ENTER_EXIT_NOT_EXECUTABLE 126
#define ENTER_EXIT_NOT_FOUND 127

enum enter_report_kind {
        ENTER_REPORT_TERMINAL = 1, /* text: path of the terminal inside; the master comes along */
        ENTER_REPORT_STARTED,      /* the program runs; value: its process number on the host */
        ENTER_REPORT_FAILED,       /* it does not; value: exit status, text: why */
        ENTER_REPORT_EXITED,       /* value: exit status */
        ENTER_REPORT_SIGNALED,     /* value: signal; text: may say more */
        ENTER_REPORT_TIMEOUT,
        _ENTER_REPORT_MAX,
};

struct enter_report {
        enum enter_report_kind kind;
        int32_t value;
        char text[ENTER_REPORT_TEXT_MAX + 1]; /* hostile where it names what is inside: escape it */
};

/* Appends. s has passed session_check(). -ENOMEM. */
int enter_request_encode(const struct session *s, struct buf *out);
/* -EBADMSG: any byte is not as said above, or session_check() refuses it. -ENOMEM. */
int enter_request_decode(const void *data, size_t size, struct session **ret);

/* Returns the size. A longer text is cut. */
size_t enter_report_encode(const struct enter_report *r, uint8_t ret[static ENTER_REPORT_MAX]);
int enter_report_decode(const void *data, size_t size, struct enter_report *ret); /* -EBADMSG */
