/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-transfer/work.h: what the processes of a transfer share: how far they are, and why they failed. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "codec/transfer-protocol.h"

#define TEMPORARY_PREFIX ".#muster-" /* what is not complete yet is called so, and is never copied itself */

/* In memory that all of them see. */
struct outcome {
        int error; /* -errno */
        char text[TRANSFER_REPORT_TEXT_MAX + 1];
};

struct tally {
        _Atomic uint64_t bytes, files, left_out;
        struct outcome outcomes[2];
};

/* One worker's view of it. */
struct work {
        struct tally *tally;
        struct outcome *outcome;
        bool counts; /* the other one, if any, does not */
};

/* The first sentence stays. Returns error. */
int work_fail(struct work *w, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
static inline void work_count_file(struct work *w) {
        if (w->counts)
                atomic_fetch_add_explicit(&w->tally->files, 1, memory_order_relaxed);
}
static inline void work_count_bytes(struct work *w, uint64_t n) {
        if (w->counts)
                atomic_fetch_add_explicit(&w->tally->bytes, n, memory_order_relaxed);
}
static inline void work_count_left_out(struct work *w) {
        atomic_fetch_add_explicit(&w->tally->left_out, 1, memory_order_relaxed);
}
