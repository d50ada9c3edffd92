/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.muster.Machine1.Stats and Wait: how it is with a machine, now or as soon as it is so. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/name.h"
#include "ipc/varlink-internal.h"

#define INTERFACE "org.muster.Machine1."

static void reply_no_machine(struct connection *c, const char *name) {
        AUTO_FREE char *shown = str_escape(name, MACHINE_NAME_MAX);
        struct fault f = FAULT_OK;

        fault_set(&f, FAULT_NO_SUCH_MACHINE, "No machine '%s' is known.", strempty(shown));
        reply_with_sentence(c, &f, NULL);
}

/* ---- Stats ---- */

struct stats_parameters {
        const char *name;
};

static void method_stats(struct connection *c, const struct varlink_call *call) {
        static const struct varlink_field fields[] = {
                { "name", VARLINK_STRING, offsetof(struct stats_parameters, name), .required = true },
                { NULL },
        };
        const struct clock_port *clock = &service_ports(c->server->service)->clock;
        struct stats_parameters p = { NULL };
        const struct machine *m;
        struct machine_stats s;
        struct json_text j;

        if (!varlink_extract(c, call, fields, &p))
                return;
        m = service_find(c->server->service, p.name);
        if (!m) {
                reply_no_machine(c, p.name);
                return;
        }
        service_stats(c->server->service, m, &s);
        j = reply_begin(c);
        json_text_string(&j, "name", m->name);
        json_text_unsigned(&j, "monotonic", clock->monotonic_usec(clock->impl));
        for (int i = 0; i < _MACHINE_STAT_MAX; i++)
                if (s.values[i] <= INT64_MAX)
                        json_text_unsigned(&j, machine_stat_to_string((enum machine_stat) i), s.values[i]);
        reply_end(c, &j, false);
}

/* ---- Wait ---- */

struct wait {
        struct connection *connection;
        char name[MACHINE_NAME_MAX + 1];
        bool running; /* else: gone */
        struct wait *previous, *next;
};

void wait_cancel(struct wait *w) {
        struct connection *c = w->connection;

        if (w->previous)
                w->previous->next = w->next;
        else
                c->server->waits = w->next;
        if (w->next)
                w->next->previous = w->previous;
        c->wait = NULL;
        free(w);
}

static bool is_what_was_waited_for(const char *kind, bool running) {
        switch (event_kind_from_string(kind)) {
        case EVENT_KIND_REGISTERED:
        case EVENT_KIND_RUNNING:
                return running;
        case EVENT_KIND_CREATE_FAILED:
        case EVENT_KIND_REMOVED:
        case EVENT_KIND_UNREGISTERED:
                return !running;
        default:
                return false;
        }
}

static void reply_ended(struct connection *c, const struct event *e) {
        struct json_text j = reply_begin(c);

        json_text_string(&j, "ended", e->kind);
        json_text_unsigned(&j, "sequence", e->sequence);
        reply_end(c, &j, false);
}

void waits_tell(struct varlink_server *v, const struct event *e) {
        for (struct wait *w = v->waits, *next; w; w = next) {
                struct connection *c = w->connection;

                next = w->next;
                if (!streq(w->name, e->machine) || !is_what_was_waited_for(e->kind, w->running))
                        continue;
                if (w->running)
                        reply_empty(c);
                else
                        reply_ended(c, e);
                wait_cancel(w);
                connection_finish_call(c);
        }
}

static void wait_begin(struct connection *c, const char *name, bool running) {
        struct wait *w = calloc(1, sizeof(*w));

        if (!w) {
                c->closing = true;
                return;
        }
        w->connection = c;
        snprintf(w->name, sizeof(w->name), "%s", name); /* a valid one: it fits */
        w->running = running;
        w->next = c->server->waits;
        if (w->next)
                w->next->previous = w;
        c->server->waits = c->wait = w;
        c->busy = true;
}

/* What the journal says of a machine that is not there. */
static void reply_from_journal(struct connection *c, const char *name) {
        const struct event_ring *events = service_events(c->server->service);
        const struct event *last = NULL;
        struct event_gap gap;

        for (const struct event *e = event_ring_first(events); e; e = event_ring_next(events, e->sequence, &gap))
                if (streq(e->machine, name) && is_what_was_waited_for(e->kind, false))
                        last = e;
        if (last)
                reply_ended(c, last);
        else
                reply_no_machine(c, name);
}

struct wait_parameters {
        const char *name;
        int running;
};

static int state_from_string(const char *s) {
        return streq(s, "running") ? true : streq(s, "stopped") ? false : -EINVAL;
}

static void method_wait(struct connection *c, const struct varlink_call *call) {
        static const struct varlink_field fields[] = {
                { "name", VARLINK_STRING, offsetof(struct wait_parameters, name), .required = true },
                { "for", VARLINK_ENUM, offsetof(struct wait_parameters, running), .from_string = state_from_string },
                { NULL },
        };
        struct wait_parameters p = { .running = false };
        const struct machine *m;

        if (!varlink_extract(c, call, fields, &p))
                return;
        if (!machine_name_is_valid(p.name)) { /* nor .host, for which one would wait for ever */
                reply_invalid(c, "name");
                return;
        }
        m = service_find(c->server->service, p.name);
        if (p.running && m && m->state != MACHINE_OPENING)
                reply_empty(c);
        else if (!p.running && !m)
                reply_from_journal(c, p.name);
        else
                wait_begin(c, p.name, p.running);
}

const struct varlink_method varlink_state_methods[] = {
        { INTERFACE "Stats", method_stats },
        { INTERFACE "Wait", method_wait },
        { NULL, NULL },
};
