/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.muster.Machine1.Subscribe: the journal of events, and what comes to it.
 *
 * Nothing is queued for a reader: the journal in memory is the queue, and each reader has a place in it, `after`. Who is slower than
 * events come, or was away, and whose next ones were dropped meanwhile, is told so by a gap. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/event-json.h"
#include "core/name.h"
#include "ipc/varlink-internal.h"

#define INTERFACE "org.muster.Machine1."
#define MACHINES_MAX 64 /* each is compared with each event */

struct subscription {
        struct connection *connection;
        uint64_t after;  /* everything up to this number was told */
        char **machines; /* NULL: all */
        bool follow;
        bool told_position;
        bool waiting; /* for the next event, and for nothing else */
        struct subscription *previous, *next;
};

/* ---- the stream ---- */

static void subscription_free(struct subscription *s) {
        struct connection *c = s->connection;

        if (s->previous)
                s->previous->next = s->next;
        else if (c->server->subscriptions == s)
                c->server->subscriptions = s->next;
        if (s->next)
                s->next->previous = s->previous;
        c->subscription = NULL;
        strv_free(s->machines);
        free(s);
}

void subscription_cancel(struct subscription *s) {
        subscription_free(s);
}

static void send_gap(struct subscription *s, const struct event_gap *gap) {
        struct json_text j = reply_begin(s->connection);

        event_json_add_gap(&j, gap);
        reply_end(s->connection, &j, true);
        s->after = gap->to;
}

static void send_event(struct subscription *s, const struct event *e) {
        struct json_text j = reply_begin(s->connection);

        json_text_begin_object(&j, "event");
        event_json_add(&j, e);
        json_text_end_object(&j);
        reply_end(s->connection, &j, true);
}

static void send_position(struct subscription *s, uint64_t sequence) {
        struct connection *c = s->connection;
        char id[ID128_STRING_SIZE];
        struct json_text j = reply_begin(c);

        json_text_begin_object(&j, "position");
        json_text_unsigned(&j, "sequence", sequence);
        json_text_string(&j, "bootId", id128_to_string(&c->server->boot_id, id));
        json_text_end_object(&j);
        reply_end(c, &j, s->follow);
        s->told_position = true;
}

static bool is_wanted(const struct subscription *s, const struct event *e) {
        return !s->machines || strv_contains(s->machines, e->machine);
}

/* False: that was all. */
static bool send_next(struct subscription *s, const struct event_ring *events) {
        struct event_gap gap;
        const struct event *e = event_ring_next(events, s->after, &gap);

        if (gap.from > 0) {
                send_gap(s, &gap);
                return true;
        }
        if (!e)
                return false;
        s->after = e->sequence;
        if (is_wanted(s, e))
                send_event(s, e);
        return true;
}

void subscription_continue(struct subscription *s) {
        struct connection *c = s->connection;
        const struct event_ring *events = service_events(c->server->service);

        do {
                s->waiting = false;
                if (c->out.size - c->out_sent >= OUTPUT_HIGH) {
                        c->unfinished = true;
                        return;
                }
        } while (!c->closing && send_next(s, events));
        if (!s->told_position)
                send_position(s, s->after);
        if (s->follow && !c->closing) {
                s->waiting = true;
                return;
        }
        subscription_free(s);
        c->busy = false;
}

void subscriptions_wake(struct varlink_server *v) {
        for (struct subscription *s = v->subscriptions; s; s = s->next)
                if (s->waiting) {
                        s->waiting = false;
                        connection_kick(s->connection);
                }
}

/* ---- the call ---- */

struct subscribe_parameters {
        struct varlink_int since;
        struct varlink_id128 boot_id;
        bool follow;
        struct varlink_array machines;
};

#define SUBSCRIBE(member) offsetof(struct subscribe_parameters, member)
static const struct varlink_field subscribe_fields[] = {
        { "since", VARLINK_INT, SUBSCRIBE(since), .min = 0, .max = INT64_MAX },
        { "bootId", VARLINK_ID128, SUBSCRIBE(boot_id) },
        { "follow", VARLINK_BOOL, SUBSCRIBE(follow) },
        { "machines", VARLINK_STRINGS, SUBSCRIBE(machines) },
        { NULL },
};

static bool read_machines(struct connection *c, const struct varlink_array *names, char ***ret) {
        for (size_t i = 0; i < names->n; i++) {
                const char *name = varlink_array_string(names, i);

                if (i >= MACHINES_MAX || (!machine_name_is_valid(name) && !streq(name, HOST_MACHINE_NAME))) {
                        reply_invalid(c, "machines");
                        return false;
                }
                if (strv_extend(ret, name) < 0) {
                        c->closing = true;
                        return false;
                }
        }
        return true;
}

static void reply_future(struct connection *c, uint64_t last) {
        char id[ID128_STRING_SIZE];
        struct json_text j = reply_error_begin(c, INTERFACE "SequenceInFuture");

        json_text_unsigned(&j, "sequence", last);
        json_text_string(&j, "bootId", id128_to_string(&c->server->boot_id, id));
        reply_error_end(c, &j);
}

/* Where the reader goes on; false: the error was sent. */
static bool find_place(struct connection *c, const struct subscribe_parameters *p, uint64_t *ret) {
        const struct event_ring *events = service_events(c->server->service);
        const struct event *first = event_ring_first(events);
        uint64_t last = event_ring_last(events);
        char id[ID128_STRING_SIZE];

        if (p->boot_id.set && !id128_equal(&p->boot_id.value, &c->server->boot_id)) {
                reply_error(c, INTERFACE "OtherBoot", "bootId", id128_to_string(&c->server->boot_id, id));
                return false;
        }
        if (p->since.set && (uint64_t) p->since.value > last) {
                reply_future(c, last);
                return false;
        }
        *ret = p->since.set ? (uint64_t) p->since.value : first ? first->sequence - 1 : last;
        return true;
}

static void on_authorized(struct request *q) {
        struct connection *c = q->adapter;
        struct subscription *s = c->subscription;

        c->request = NULL;
        q->adapter = NULL;
        if (q->fault.kind != FAULT_NONE) {
                reply_fault(c, &q->fault);
                subscription_free(s);
                c->busy = false;
        } else {
                s->next = c->server->subscriptions;
                if (s->next)
                        s->next->previous = s;
                c->server->subscriptions = s;
                subscription_continue(s);
        }
        request_unref(q);
        connection_kick(c);
}

static void submit(struct connection *c, const struct subscribe_parameters *p, uint64_t after, char ***machines) {
        struct subscription *s = calloc(1, sizeof(*s));
        struct request *q = NULL;

        if (!s || request_new(c->server->service, VERB_EVENTS, &q) < 0) {
                free(s);
                c->closing = true;
                return;
        }
        *s = (struct subscription){
                .connection = c, .after = after, .machines = STEAL(*machines), .follow = p->follow
        };
        c->subscription = s;
        varlink_submit(c, q, false, on_authorized);
        if (c->subscription == s && !c->busy) /* not even asked: the caller is gone */
                subscription_free(s);
}

static void method_subscribe(struct connection *c, const struct varlink_call *call) {
        struct subscribe_parameters p = { .follow = false };
        AUTO(strv_freep) char **machines = NULL;
        uint64_t after;

        if (!varlink_extract(c, call, subscribe_fields, &p) || !read_machines(c, &p.machines, &machines))
                return;
        if (!c->more) {
                reply_error(c, "org.varlink.service.ExpectedMore", NULL, NULL);
                return;
        }
        if (find_place(c, &p, &after))
                submit(c, &p, after, &machines);
}

const struct varlink_method varlink_event_methods[] = {
        { INTERFACE "Subscribe", method_subscribe },
        { NULL, NULL },
};
