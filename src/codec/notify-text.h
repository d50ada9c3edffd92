/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/notify-text.h: the fields of an sd_notify(3) datagram that a container manager passes on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define NOTIFY_TEXT_MAX 4096 /* bytes of a datagram: what service managers take */

#define NOTIFY_FD_NAME_MAX 255 /* of FDNAME=, sd_pid_notify_with_fds(3) */

struct notify_text {
        bool ready;                           /* READY=1 */
        bool has_status;                      /* STATUS=, may be empty */
        char status[NOTIFY_TEXT_MAX];         /* valid UTF-8 without control characters */
        bool store, remove;                   /* FDSTORE=1: keep what comes along; FDSTOREREMOVE=1: not any more */
        char fd_name[NOTIFY_FD_NAME_MAX + 1]; /* of those: printable ASCII without ':', "stored" when it has none */
};

/* Lines FIELD=value. The first status that is text counts, and the last name that is one; every other field is
 * skipped. One NUL at the end is forgiven.
 * -EBADMSG: empty, or a NUL elsewhere. -EMSGSIZE: more than NOTIFY_TEXT_MAX bytes. */
int notify_text_decode(const char *text, size_t size, struct notify_text *ret);
