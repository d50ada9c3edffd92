/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying and mounting: who may, where it is refused whoever asks, and how many at once. How it is done is muster-transfer's
 * business. */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "service/internal.h"

struct operation {
        struct request *request; /* a reference; its answer has been given already where the client has its own ear */
        void *handle;
        struct operation *previous, *next;
};

static int check(struct request *q, struct machine **ret, struct fault *f) {
        struct machine *m = NULL;
        struct diag d = { 0 };
        int r;

        if (service_target(q->service, q->name, -1, &m, f) < 0)
                return -1;
        if (m->class != MACHINE_CONTAINER)
                return fault_set(f, FAULT_NOT_SUPPORTED,
                                 m->class == MACHINE_VM ? "A virtual machine's files cannot be reached from outside."
                                                        : "The host itself is no machine: use its own files.");
        r = transfer_check(q->transfer, &d);
        if (r == -EINVAL)
                return fault_set_argument(f, streq(d.field, "destination") ? "destination" : "source", "%s", d.text);
        if (r < 0)
                return fault_set_errno(f, r, "Cannot check the paths.");
        if (session_check_owner(q, m, f) < 0)
                return -1;
        *ret = m;
        return 0;
}

static int check_limits(const struct service *s, const struct caller *caller, struct fault *f) {
        size_t n = 0, own = 0;

        for (const struct operation *o = s->operations; o; o = o->next) {
                n++;
                own += o->request->caller.uid == caller->uid;
        }
        if (n >= TRANSFERS_MAX)
                return fault_set(f, FAULT_TOO_MANY_OPERATIONS, "%d operations are running: wait until one has ended.",
                                 TRANSFERS_MAX);
        if (caller->uid != 0 && own >= TRANSFERS_OF_USER_MAX)
                return fault_set(f, FAULT_TOO_MANY_OPERATIONS,
                                 "%d operations of yours are running: wait until one has ended.",
                                 TRANSFERS_OF_USER_MAX);
        return 0;
}

/* Everybody may read events, and what files there are is nobody's business. */
static void note(const struct request *q, const struct machine *m) {
        static const enum event_kind kinds[] = { [TRANSFER_COPY_TO] = EVENT_KIND_COPY_TO,
                                                 [TRANSFER_COPY_FROM] = EVENT_KIND_COPY_FROM,
                                                 [TRANSFER_BIND] = EVENT_KIND_BIND };
        const struct event_detail details[] = { { q->transfer->read_only ? "read-only" : NULL, "yes" },
                                                { NULL, NULL } };

        service_event(q->service, kinds[q->transfer->kind], m, &q->caller, details);
}

static void operation_free(struct operation *o) {
        struct service *s = o->request->service;

        if (o->previous)
                o->previous->next = o->next;
        else if (s->operations == o)
                s->operations = o->next;
        if (o->next)
                o->next->previous = o->previous;
        o->request->operation = NULL;
        request_unref(o->request);
        free(o);
}

static void on_done(void *userdata, const struct transferred *result) {
        struct operation *o = userdata;
        struct request *q = o->request;
        AUTO_FREE char *shown = result->text ? str_escape(result->text, 190) : NULL;

        q->operation = NULL;
        if (result->error < 0 && !q->finished)
                fault_set_errno(&q->fault, result->error, "%s", isempty(shown) ? "It did not work." : shown);
        request_finish(q);
        operation_free(o);
}

/* The one place where they begin. False: the request is finished later. */
static bool begin(struct request *q, const struct machine *m) {
        const struct transfer_port *port = &q->service->ports.transfer;
        struct operation *o = calloc(1, sizeof(*o));
        int r = o ? 0 : -ENOMEM;

        if (r >= 0) {
                o->request = request_ref(q);
                r = port->start(port->impl, m, q->transfer, on_done, o, &o->handle);
        }
        if (r < 0) {
                fault_set_errno(&q->fault, r, "Cannot start muster-transfer for machine '%s'.", m->name);
                if (o)
                        operation_free(o);
                return true;
        }
        note(q, m);
        o->next = q->service->operations;
        if (o->next)
                o->next->previous = o;
        q->service->operations = o;
        if (q->transfer->fds[TRANSFER_FD_STATUS] >= 0)
                return true; /* whoever listens there hears the rest */
        q->operation = o;
        return false;
}

/* Time may have passed: the machine is another one of that name, or it has changed hands. */
static void transfer_authorized(struct request *q, enum auth_result result) {
        struct machine *m = NULL;

        if (!request_is_allowed(q, result) || check(q, &m, &q->fault) < 0 ||
            check_limits(q->service, &q->caller, &q->fault) < 0 || begin(q, m))
                request_finish(q);
}

void transfer_begin(struct request *q) {
        struct machine *m = NULL;

        if (check(q, &m, &q->fault) < 0) {
                request_finish(q);
                return;
        }
        q->authorized = transfer_authorized;
        request_authorize(q, m);
}

void transfer_cancel(struct request *q) {
        struct operation *o = STEAL(q->operation);

        if (o)
                q->service->ports.transfer.cancel(q->service->ports.transfer.impl, o->handle);
}
