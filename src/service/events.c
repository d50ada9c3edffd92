/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of events: numbering, saving, telling; and what it says when we start again.
 *
 * Record and event are two writes, and we may be killed between them. Where a machine comes or changes its record is written first,
 * where it goes the event: so whatever the later of the two says can be made good from the earlier (service.c: recover_one). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "core/name.h"
#include "service/internal.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

const struct event_ring *service_events(const struct service *s) {
        return s->events;
}

/* An event that is not saved is told all the same: the registry goes on without a journal rather than not at all. */
static void save(struct service *s, const struct event *e) {
        const struct event_port *port = &s->ports.events;
        int r = port->save(port->impl, e);

        if (r < 0 && !s->events_unsaved)
                log_error_errno(r, "Cannot save events: those from number %llu on will not be known after a restart",
                                (unsigned long long) e->sequence);
        if (r >= 0 && s->events_unsaved)
                log_info("Events are saved again.");
        s->events_unsaved = r < 0;
}

static void keep(struct service *s, const struct event *e) {
        AUTO_FREE struct event *copy = NULL;

        if (event_copy(e, &copy) < 0 || event_ring_add(s->events, &copy) < 0)
                event_ring_skip(s->events, e->sequence); /* readers are told that one is missing */
}

static bool is_life(enum event_kind kind) {
        return kind <= EVENT_KIND_UNREGISTERED;
}

/* What becomes of a machine is always noted; what an ordinary user does to his, within his share, or he could have all else forgotten. */
static bool is_within_share(struct service *s, enum event_kind kind, const struct caller *by, uint64_t now_usec,
                            char left_out[static 24]) {
        uint64_t n = 0;

        left_out[0] = '\0';
        if (is_life(kind) || !by || by->uid == 0)
                return true;
        if (!deed_shares_take(&s->deeds, by->uid, now_usec, &n))
                return false;
        if (n > 0)
                snprintf(left_out, 24, "%" PRIu64, n);
        return true;
}

void service_event(struct service *s, enum event_kind kind, const struct machine *m, const struct caller *by,
                   const struct event_detail *details) {
        char values[EVENT_DETAILS_MAX][EVENT_VALUE_MAX + 1];
        struct event_detail checked[EVENT_DETAILS_MAX];
        char left_out[24];
        struct event e = {
                .sequence = event_ring_last(s->events) + 1,
                .realtime_usec = s->ports.clock.realtime_usec(s->ports.clock.impl),
                .monotonic_usec = s->ports.clock.monotonic_usec(s->ports.clock.impl),
                .boot_id = s->ports.events.boot_id,
                .kind = event_kind_to_string(kind),
                .machine = m->name,
                .class = m->class,
                .leader = m->leader.pid,
                .actor_uid = by ? by->uid : EVENT_NOBODY,
                .actor_pid = by ? by->process.pid : 0,
                .details = checked,
        };

        if (!is_within_share(s, kind, by, e.monotonic_usec, left_out))
                return;
        if (*left_out)
                checked[e.n_details++] = (struct event_detail){ "left-out", left_out };
        for (; details && details->key && e.n_details < EVENT_DETAILS_MAX; details++, e.n_details++)
                checked[e.n_details] = (struct event_detail){ details->key, event_value(strempty(details->value),
                                                                                        values[e.n_details]) };
        save(s, &e);
        keep(s, &e);
        for (size_t i = 0; i < s->n_listeners; i++)
                if (s->listeners[i].event)
                        s->listeners[i].event(s->listeners[i].impl, &e);
}

/* ---- after a restart ---- */

static void on_found(void *userdata, struct event *e) {
        AUTO_FREE struct event *found = e;
        struct service *s = userdata;

        if (event_ring_add(s->events, &found) < 0)
                event_ring_skip(s->events, e->sequence);
}

int events_load(struct service *s) {
        const struct event_port *port = &s->ports.events;
        uint64_t last = 0;
        int r;

        r = port->load(port->impl, on_found, s, &last);
        if (r < 0)
                return r;
        event_ring_skip(s->events, last);
        return 0;
}

struct past {
        char name[MACHINE_NAME_MAX + 1];
        enum event_kind kind;
        uint64_t monotonic_usec;
        bool oom;
        UT_hash_handle hh;
};

struct history {
        struct past *machines;
        bool complete;       /* nothing was dropped yet */
        uint64_t since_usec; /* of this boot */
};

static int note(struct history *h, const struct event *e) {
        int kind = event_kind_from_string(e->kind);
        struct past *p = NULL;

        if (kind < 0 || !is_life((enum event_kind) kind))
                return 0;
        HASH_FIND_STR(h->machines, e->machine, p);
        if (!p) {
                p = calloc(1, sizeof(*p));
                if (!p)
                        return -ENOMEM;
                strncat(p->name, e->machine, MACHINE_NAME_MAX);
                HASH_ADD_STR(h->machines, name, p);
                if (p->oom) {
                        free(p);
                        return -ENOMEM;
                }
        }
        p->kind = (enum event_kind) kind;
        p->monotonic_usec = e->monotonic_usec;
        return 0;
}

int history_new(const struct service *s, struct history **ret) {
        AUTO(history_freep) struct history *h = calloc(1, sizeof(*h));
        const struct event *first = event_ring_first(s->events), *e;
        struct event_gap gap;
        int r = 0;

        if (!h)
                return -ENOMEM;
        h->complete = first ? first->sequence == 1 || !id128_equal(&first->boot_id, &s->ports.events.boot_id)
                            : event_ring_last(s->events) == 0;
        h->since_usec = first ? first->monotonic_usec : UINT64_MAX;
        for (e = first; r >= 0 && e; e = event_ring_next(s->events, e->sequence, &gap))
                if (id128_equal(&e->boot_id, &s->ports.events.boot_id))
                        r = note(h, e);
        if (r < 0)
                return r;
        *ret = STEAL(h);
        return 0;
}

void history_free(struct history *h) {
        struct past *p, *next;

        if (!h)
                return;
        HASH_ITER (hh, h->machines, p, next) {
                HASH_DEL(h->machines, p);
                free(p);
        }
        free(h);
}

/* A record is older than every event of its machine: what is older still belongs to an earlier one of that name. */
enum event_kind history_of(const struct history *h, const struct machine *m, bool *ret_complete) {
        const struct past *p = NULL;

        *ret_complete = h->complete || h->since_usec <= m->monotonic_usec;
        HASH_FIND_STR(h->machines, m->name, p);
        return p && p->monotonic_usec > m->monotonic_usec ? p->kind : _EVENT_KIND_MAX;
}
