/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A circle of pointers that doubles until it has room for as many as may be kept. */
#include "core/event-ring.h"

#include <errno.h>

#define FIRST_ROOM 16

struct event_ring {
        struct event **slots;
        size_t room;  /* of slots: a power of two, or 0 */
        size_t start; /* the oldest */
        size_t n;
        size_t bytes;
        size_t max_events, max_bytes;
        uint64_t last;
};

int event_ring_new(size_t max_events, size_t max_bytes, struct event_ring **ret) {
        struct event_ring *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->max_events = max_events > 0 ? max_events : 1;
        r->max_bytes = max_bytes;
        *ret = r;
        return 0;
}

static struct event *at(const struct event_ring *r, size_t i) {
        return r->slots[(r->start + i) & (r->room - 1)];
}

static void drop_first(struct event_ring *r) {
        struct event *e = at(r, 0);

        r->bytes -= event_size(e);
        r->start = (r->start + 1) & (r->room - 1);
        r->n--;
        free(e);
}

void event_ring_free(struct event_ring *r) {
        if (!r)
                return;
        while (r->n > 0)
                drop_first(r);
        free(r->slots);
        free(r);
}

static int grow(struct event_ring *r) {
        size_t room = r->room ? r->room * 2 : FIRST_ROOM;
        struct event **slots = calloc(room, sizeof(struct event *));

        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; i < r->n; i++)
                slots[i] = at(r, i);
        free(r->slots);
        r->slots = slots;
        r->room = room;
        r->start = 0;
        return 0;
}

int event_ring_add(struct event_ring *r, struct event **e) {
        size_t size = event_size(*e);

        if ((*e)->sequence <= r->last)
                return -EINVAL;
        r->last = (*e)->sequence;
        while (r->n > 0 && (r->n >= r->max_events || r->bytes + size > r->max_bytes))
                drop_first(r);
        if (r->n == r->room && grow(r) < 0)
                return -ENOMEM;
        r->slots[(r->start + r->n) & (r->room - 1)] = STEAL(*e);
        r->n++;
        r->bytes += size;
        return 0;
}

void event_ring_skip(struct event_ring *r, uint64_t sequence) {
        if (sequence > r->last)
                r->last = sequence;
}

uint64_t event_ring_last(const struct event_ring *r) {
        return r->last;
}

const struct event *event_ring_first(const struct event_ring *r) {
        return r->n > 0 ? at(r, 0) : NULL;
}

/* How many of the kept ones have a number up to `sequence`. */
static size_t count_up_to(const struct event_ring *r, uint64_t sequence) {
        size_t low = 0, high = r->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (at(r, middle)->sequence <= sequence)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

const struct event *event_ring_next(const struct event_ring *r, uint64_t after, struct event_gap *ret_gap) {
        size_t i = count_up_to(r, after);
        const struct event *e = i < r->n ? at(r, i) : NULL;
        uint64_t end = e ? e->sequence - 1 : r->last;

        *ret_gap = end > after ? (struct event_gap){ after + 1, end } : (struct event_gap){ 0, 0 };
        return e;
}

size_t event_ring_count(const struct event_ring *r) {
        return r->n;
}
