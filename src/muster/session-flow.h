/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/session-flow.h: bytes on their way from one descriptor to another. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define FLOW_BYTES 65536

/* One direction: what was read and is not written yet. */
struct flow {
        int from, to; /* owned but for 0 to 2; -EBADF: this end is over */
        bool whole;   /* a file takes everything at once */
        size_t begin, end;
        char data[FLOW_BYTES];
};

int flow_new(int from, int to, struct flow **ret); /* -ENOMEM */
void flow_free(struct flow *f);
void flow_close_end(int *fd);

static inline bool flow_is_empty(const struct flow *f) {
        return f->begin == f->end;
}

/* Reads into an empty one. Positive: bytes came. 0: this end is over. -EAGAIN, or another negative errno. */
int flow_fill(struct flow *f);
/* Writes as far as that goes now. A reader that is gone takes the writer with it. */
void flow_empty(struct flow *f);
/* How many bytes wait to be read, at most: as many as are in the pipe, or as a terminal may hold. */
size_t flow_waiting(const struct flow *f);
