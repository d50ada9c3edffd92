/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/event-ring.h: the newest events, bounded by number and by bytes. Pure. Memory is taken as they come. */
#pragma once

#include "base/auto.h"
#include "core/event.h"

struct event_ring; /* opaque */

/* Numbers, both included, of events that cannot be had (any more). from 0: there is no gap. */
struct event_gap {
        uint64_t from, to;
};

/* At least one event is kept, however large. -ENOMEM. */
int event_ring_new(size_t max_events, size_t max_bytes, struct event_ring **ret);
void event_ring_free(struct event_ring *r);
DEFINE_AUTO(struct event_ring *, event_ring_free)

/* On success *e (one block of memory) is consumed and set to NULL; the oldest are dropped for it where they must. -EINVAL: its
 * number is not above that of all before. -ENOMEM: *e stays the caller's; its number is used up all the same. */
int event_ring_add(struct event_ring *r, struct event **e);
/* The numbers up to `sequence` are used up, whether their events are here or not. */
void event_ring_skip(struct event_ring *r, uint64_t sequence);

/* The highest number that was used; 0: none. */
uint64_t event_ring_last(const struct event_ring *r);
/* The oldest event that is kept; NULL: none is. Borrowed until the next event_ring_add(). */
const struct event *event_ring_first(const struct event_ring *r);
/* The first kept event with a number above `after`; NULL: none. Borrowed likewise. *ret_gap says which numbers between `after` and
 * it (or the last that was used) are missing. O(log n). */
const struct event *event_ring_next(const struct event_ring *r, uint64_t after, struct event_gap *ret_gap);
size_t event_ring_count(const struct event_ring *r);
