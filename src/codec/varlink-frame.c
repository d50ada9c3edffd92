/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages are cut where the NUL is. A connection between two calls holds no memory: most of them are idle. */
#include "codec/varlink-frame.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALLOCATE_MIN 1024

void varlink_frame_done(struct varlink_frame *f) {
        free(f->data);
        *f = (struct varlink_frame) VARLINK_FRAME_EMPTY;
}

static int reserve(struct varlink_frame *f, size_t more) {
        size_t needed, allocate = f->allocated ? f->allocated : ALLOCATE_MIN;
        char *data;

        if (f->start > 0) {
                memmove(f->data, f->data + f->start, f->size - f->start);
                f->size -= f->start;
                f->scanned -= f->start;
                f->start = 0;
        }
        if (__builtin_add_overflow(f->size, more, &needed))
                return -ENOMEM;
        if (needed <= f->allocated)
                return 0;
        while (allocate < needed)
                if (__builtin_mul_overflow(allocate, 2, &allocate))
                        return -ENOMEM;
        data = realloc(f->data, allocate);
        if (!data)
                return -ENOMEM;
        f->data = data;
        f->allocated = allocate;
        return 0;
}

int varlink_frame_feed(struct varlink_frame *f, const void *data, size_t size) {
        int r;

        if (size == 0)
                return 0;
        r = size <= f->allocated - f->size ? 0 : reserve(f, size);
        if (r < 0)
                return r;
        memcpy(f->data + f->size, data, size);
        f->size += size;
        return 0;
}

int varlink_frame_next(struct varlink_frame *f, const char **ret, size_t *ret_size) {
        const char *end;

        if (f->start == f->size) {
                varlink_frame_done(f);
                return 0;
        }
        end = memchr(f->data + f->scanned, '\0', f->size - f->scanned);
        if ((end ? (size_t) (end - f->data) : f->size) - f->start > VARLINK_MESSAGE_MAX)
                return -EMSGSIZE;
        if (!end) {
                f->scanned = f->size;
                return 0;
        }
        *ret = f->data + f->start;
        *ret_size = (size_t) (end - *ret);
        f->start = f->scanned = (size_t) (end - f->data) + 1;
        return 1;
}
