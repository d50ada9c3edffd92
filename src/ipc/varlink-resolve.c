/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.systemd.Resolve.Hook: the addresses of machines by their names, for systemd-resolved and whoever else asks (registry.md 15.2).
 *
 * Who subscribes to the names hears all of them again with each change. A thousand machines may come in a moment, so that is told
 * at once the first time, and then at most ten times a second. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "codec/resolve-json.h"
#include "ipc/varlink-error.h"
#include "ipc/varlink-internal.h"

#define INTERFACE "io.systemd.Resolve.Hook."
#define TELL_AGAIN_USEC UINT64_C(100000)
#define NAME_ERROR 3 /* rcode NXDOMAIN */
#define QUESTIONS_MAX 64

enum { WANTS_A = 1, WANTS_AAAA = 2 };

/* ---- which names ---- */

struct domains {
        struct connection *connection;
        bool stale; /* there are other names than were told */
        struct domains *previous, *next;
};

/* A user's machine has a name for him alone: it may be called as a host is that others mean. */
static bool may_hear_of(const struct connection *c, const struct machine *m) {
        return m->uid == 0 || m->uid == c->uid;
}

static void send_names(struct connection *c, bool continues) {
        struct service *service = c->server->service;
        struct json_text j = reply_begin(c);

        json_text_begin_array(&j, "filterDomains");
        for (const struct machine *m = service_first(service, false); m; m = service_next(service, m))
                if (m->state != MACHINE_OPENING && resolve_name_is_valid(m->name) && may_hear_of(c, m))
                        json_text_string(&j, NULL, m->name);
        json_text_end_array(&j);
        reply_end(c, &j, continues);
}

void domains_cancel(struct domains *d) {
        struct connection *c = d->connection;

        if (d->previous)
                d->previous->next = d->next;
        else
                c->server->domains = d->next;
        if (d->next)
                d->next->previous = d->previous;
        c->domains = NULL;
        free(d);
}

void domains_continue(struct domains *d) {
        struct connection *c = d->connection;

        if (!d->stale)
                return;
        if (c->out_sent < c->out.size) {
                c->unfinished = true;
                return;
        }
        d->stale = false;
        send_names(c, true);
}

static int on_time_to_tell(sd_event_source *source, uint64_t usec, void *userdata) {
        struct varlink_server *v = userdata;

        for (struct domains *d = v->domains; d; d = d->next) {
                d->stale = true;
                connection_kick(d->connection);
        }
        return 0;
}

void domains_changed(struct varlink_server *v) {
        uint64_t now, last, next;

        if (!v->domains || sd_event_source_get_enabled(v->domains_timer, NULL) > 0)
                return;
        /* Not from here: one that is about to go is still there. */
        if (sd_event_now(v->event, CLOCK_MONOTONIC, &now) < 0 || sd_event_source_get_time(v->domains_timer, &last) < 0)
                return;
        next = last + TELL_AGAIN_USEC;
        sd_event_source_set_time(v->domains_timer, next > now ? next : now);
        sd_event_source_set_enabled(v->domains_timer, SD_EVENT_ONESHOT);
}

static int subscribe(struct connection *c) {
        struct varlink_server *v = c->server;
        struct domains *d;

        if (!v->domains_timer) {
                int r = sd_event_add_time(v->event, &v->domains_timer, CLOCK_MONOTONIC, 0, 1, on_time_to_tell, v);

                if (r < 0)
                        return r;
                sd_event_source_set_enabled(v->domains_timer, SD_EVENT_OFF);
        }
        d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;
        d->connection = c;
        d->next = v->domains;
        if (d->next)
                d->next->previous = d;
        v->domains = c->domains = d;
        c->busy = true;
        return 0;
}

static void method_query_filter(struct connection *c, const struct varlink_call *call) {
        static const struct varlink_field no_fields[] = { { NULL } };

        if (!varlink_extract(c, call, no_fields, NULL))
                return;
        if (c->more && subscribe(c) < 0)
                c->closing = true;
        else
                send_names(c, c->more);
}

/* ---- one name ---- */

struct question {
        struct varlink_object key;
        const char *name;
        struct varlink_int class, type;
};

#define QUESTION(member) offsetof(struct question, member)
static const struct varlink_field question_fields[] = {
        { "key", VARLINK_OBJECT, QUESTION(key), .required = true },
        { NULL },
};
static const struct varlink_field key_fields[] = {
        { "class", VARLINK_INT, QUESTION(class), .min = 0, .max = UINT16_MAX },
        { "type", VARLINK_INT, QUESTION(type), .min = 0, .max = UINT16_MAX, .required = true },
        { "name", VARLINK_STRING, QUESTION(name), .required = true },
        { NULL },
};

/* What is asked about a machine; all questions that make sense together are about one name. */
struct wanted {
        const struct machine *machine; /* NULL: none of ours */
        unsigned families;
        bool below; /* some name is below that of a machine */
};

static const struct machine *find_machine(const struct connection *c, const char *name) {
        const struct machine *m = resolve_name_is_valid(name) ? service_find(c->server->service, name) : NULL;

        return m && m->class != MACHINE_HOST && m->state != MACHINE_OPENING && may_hear_of(c, m) ? m : NULL;
}

static bool is_below_one(const struct connection *c, const char *name) {
        for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'))
                if (find_machine(c, dot + 1))
                        return true;
        return false;
}

static void take_question(const struct connection *c, const struct question *q, struct wanted *w) {
        const struct machine *m = find_machine(c, q->name);
        int64_t class = q->class.set ? q->class.value : RESOLVE_CLASS_IN;

        if (!m)
                w->below = w->below || is_below_one(c, q->name);
        if (!m || (w->machine && w->machine != m))
                return;
        w->machine = m;
        if (class == RESOLVE_CLASS_IN && q->type.value == RESOLVE_TYPE_A)
                w->families |= WANTS_A;
        if (class == RESOLVE_CLASS_IN && q->type.value == RESOLVE_TYPE_AAAA)
                w->families |= WANTS_AAAA;
}

static bool read_questions(const struct connection *c, const struct varlink_array *questions, struct wanted *w) {
        if (questions->n == 0 || questions->n > QUESTIONS_MAX)
                return false;
        for (size_t i = 0; i < questions->n; i++) {
                struct varlink_object object = varlink_array_object(questions, i);
                struct question q = { .name = NULL };
                const char *wrong;

                if (varlink_object_extract(&object, question_fields, &q, &wrong) < 0 ||
                    varlink_object_extract(&q.key, key_fields, &q, &wrong) < 0 || !resolve_question_is_valid(q.name))
                        return false;
                take_question(c, &q, w);
        }
        return true;
}

static void reply_addresses(struct connection *c, const char *name, const struct inspect_result *result,
                            unsigned families) {
        struct json_text j = reply_begin(c);

        json_text_unsigned(&j, "rcode", 0);
        json_text_begin_array(&j, "answer");
        for (size_t i = 0; result && i < result->n_addresses; i++)
                if (families & (result->addresses[i].family == AF_INET ? WANTS_A : WANTS_AAAA))
                        resolve_json_add(&j, name, result->addresses + i);
        json_text_end_array(&j);
        reply_end(c, &j, false);
}

/* The hook has no errors of its own. */
static void reply_failure(struct connection *c, struct fault *f) {
        if (f->kind == FAULT_NO_PRIVATE_NETWORKING)
                fault_set_errno(f, -ENONET, "It has no network of its own.");
        else if (f->kind == FAULT_NOT_AVAILABLE)
                fault_set_errno(f, -EOPNOTSUPP, "It cannot be looked into.");
        reply_fault(c, f);
}

static void finish_resolve(struct request *q) {
        struct connection *c = q->adapter;

        q->adapter = NULL;
        c->request = NULL;
        if (q->fault.kind == FAULT_NONE)
                reply_addresses(c, q->name, q->inspected, (unsigned) q->adapter_number);
        else
                reply_failure(c, &q->fault);
        request_unref(q);
        connection_finish_call(c);
}

static void look_up(struct connection *c, const struct wanted *w) {
        struct request *q = NULL;

        if (request_new(c->server->service, VERB_ADDRESSES, &q) < 0) {
                c->closing = true;
                return;
        }
        q->adapter_number = (int) w->families;
        q->name = strdup(w->machine->name);
        if (!q->name) {
                request_unref(q);
                c->closing = true;
                return;
        }
        varlink_submit(c, q, false, finish_resolve);
}

static void method_resolve_record(struct connection *c, const struct varlink_call *call) {
        struct {
                struct varlink_array question;
        } p = { { NULL, 0 } };
        static const struct varlink_field fields[] = {
                { "question", VARLINK_OBJECTS, 0, .required = true },
                { NULL },
        };
        struct wanted w = { NULL, 0, false };
        struct json_text j;

        if (!varlink_extract(c, call, fields, &p))
                return;
        if (!read_questions(c, &p.question, &w)) {
                reply_invalid(c, "question");
        } else if (w.machine && w.families) {
                look_up(c, &w);
        } else if (w.machine) {
                reply_addresses(c, w.machine->name, NULL, 0);
        } else if (w.below) {
                j = reply_begin(c);
                json_text_unsigned(&j, "rcode", NAME_ERROR);
                reply_end(c, &j, false);
        } else
                reply_empty(c);
}

const struct varlink_method varlink_resolve_methods[] = {
        { INTERFACE "QueryFilter", method_query_filter },
        { INTERFACE "ResolveRecord", method_resolve_record },
        { NULL, NULL },
};
