/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/varlink-frame.h: a byte stream in, NUL-terminated messages out. It never sees a file descriptor. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define VARLINK_MESSAGE_MAX ((size_t) 1 << 20) /* bytes, without the NUL */

struct varlink_frame {
        char *data;
        size_t allocated;
        size_t start;   /* the first byte nobody took yet */
        size_t size;    /* end of what was fed */
        size_t scanned; /* no NUL between start and here */
};

#define VARLINK_FRAME_EMPTY \
        { NULL, 0, 0, 0, 0 }

void varlink_frame_done(struct varlink_frame *f);
/* Copies size bytes in. Takes any amount: whoever feeds stops while a complete message is waiting. -ENOMEM. */
int varlink_frame_feed(struct varlink_frame *f, const void *data, size_t size);
/* 1: *ret is the next message, NUL-terminated, valid until the next call on f. 0: none is complete; memory is given back
 * when nothing is left of the last one. -EMSGSIZE: a message is longer than VARLINK_MESSAGE_MAX; the stream is lost. */
int varlink_frame_next(struct varlink_frame *f, const char **ret, size_t *ret_size);
/* Bytes that were fed and not taken. */
static inline size_t varlink_frame_pending(const struct varlink_frame *f) {
        return f->size - f->start;
}
