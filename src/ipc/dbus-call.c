/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A method call between its arrival and its answer: who calls, the request, the reply. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

struct dbus_call *dbus_call_new(struct dbus *d, sd_bus_message *m, struct request *q) {
        struct dbus_call *call = calloc(1, sizeof(*call));

        if (!call)
                return NULL;
        call->d = d;
        call->message = sd_bus_message_ref(m);
        call->request = q;
        call->next = d->calls;
        if (d->calls)
                d->calls->previous = call;
        d->calls = call;
        return call;
}

void dbus_call_free(struct dbus_call *call) {
        if (!call)
                return;
        if (call->previous)
                call->previous->next = call->next;
        else
                call->d->calls = call->next;
        if (call->next)
                call->next->previous = call->previous;
        if (call->resolving)
                call->d->n_resolving--;
        sd_bus_slot_unref(call->slot);
        sd_bus_slot_unref(call->query);
        if (call->request && call->request->adapter)
                request_cancel(call->request);
        request_unref(call->request);
        sd_bus_message_unref(call->message);
        free(call);
}

void dbus_call_finish(struct dbus_call *call) {
        int r;

        if (call->fault.kind != FAULT_NONE)
                r = dbus_reply_fault(call->message, &call->fault);
        else if (call->reply)
                r = call->reply(call);
        else
                r = sd_bus_reply_method_return(call->message, NULL);
        if (r < 0)
                sd_bus_reply_method_errno(call->message, r, NULL);
        dbus_call_free(call);
}

static void on_finished(struct request *q) {
        struct dbus_call *call = q->adapter;

        q->adapter = NULL;
        call->fault = q->fault;
        dbus_call_finish(call);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 && !*after)
                dbus_call_free(userdata);
        return 0;
}

/* It may have left before our match rule was there: then nobody tells us. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct dbus_call *call = userdata;

        call->query = sd_bus_slot_unref(call->query);
        if (sd_bus_message_is_method_error(m, "org.freedesktop.DBus.Error.NameHasNoOwner"))
                dbus_call_free(call);
        return 0;
}

/* While somebody is asked for a password, or something is copied, the client may go away: then so does the request. */
static void watch_peer(struct dbus_call *call) {
        const char *sender = sd_bus_message_get_sender(call->message);
        char match[512];
        int n;

        n = snprintf(match, sizeof(match),
                     "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                     sender);
        if (n > 0 && (size_t) n < sizeof(match) &&
            sd_bus_add_match_async(call->d->bus, &call->slot, match, on_owner_changed, NULL, call) >= 0)
                sd_bus_call_method_async(call->d->bus, &call->query, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus", "GetNameOwner", on_owner, call, "s", sender);
}

static int submit(struct dbus_call *call) {
        AUTO(request_unrefp) struct request *q = request_ref(call->request);

        q->adapter = call;
        q->finish = on_finished;
        service_submit(q);
        if (q->adapter && request_is_waiting(q))
                watch_peer(call);
        return 0;
}

static int submit_resolved(struct dbus_call *call) {
        struct request *q = call->request;
        bool process = q->verb == VERB_REGISTER || q->verb == VERB_CREATE;
        int r = dbus_call_caller(call, process, &q->caller);

        if (r < 0)
                return fault_set_errno(&call->fault, r, "Cannot tell who is calling.");
        return submit(call);
}

int dbus_submit(struct dbus *d, sd_bus_message *m, struct request *q, int (*reply)(struct dbus_call *call)) {
        const struct access_rule *rule = access_rule(q->verb);
        struct dbus_call *call = dbus_call_new(d, m, q);
        int r;

        if (!call) {
                request_unref(q);
                return -ENOMEM;
        }
        call->reply = reply;
        call->resolved = submit_resolved;
        if (!rule->action && !rule->root_only) { /* everybody may: no need to know who it is */
                submit(call);
                return 1;
        }
        r = dbus_call_resolve(call);
        if (r < 0) {
                dbus_call_free(call);
                return r;
        }
        return 1;
}
