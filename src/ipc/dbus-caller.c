/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is behind a unique bus name: asked of the bus daemon, never of the message, and never waited for.
 * A unique name is used once in a bus's life and keeps its process and user, so answers are kept in a small cache. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

#define CACHE_SLOTS 128
#define CACHED_NAME_MAX 24 /* ":1.4294967295" and more; longer ones are asked for each time */

struct identity {
        char name[CACHED_NAME_MAX];
        uid_t uid;
        struct pidref process; /* without fd; its identity is read when it is first asked for */
};

struct callers {
        struct identity slots[CACHE_SLOTS];
        struct identity last; /* the one just resolved, whatever its name's length */
};

int callers_new(struct callers **ret) {
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

void callers_free(struct callers *c) {
        free(c);
}

static struct identity *slot_of(struct callers *c, const char *name) {
        uint32_t h = 2166136261u;

        for (const char *p = name; *p; p++)
                h = (h ^ (uint8_t) *p) * 16777619u;
        return &c->slots[h % CACHE_SLOTS];
}

static bool lookup(struct callers *c, const char *name) {
        const struct identity *known = slot_of(c, name);

        if (strlen(name) >= CACHED_NAME_MAX || !streq(known->name, name))
                return false;
        c->last = *known;
        return true;
}

static void remember(struct callers *c, const char *name) {
        struct identity *slot = slot_of(c, name);

        if (strlen(name) >= CACHED_NAME_MAX)
                return;
        *slot = c->last;
        strcpy(slot->name, name); /* checked one line up */
}

static int read_credential(sd_bus_message *m, struct identity *id) {
        const char *key;
        uint32_t value;
        int r;

        r = sd_bus_message_read(m, "s", &key);
        if (r < 0)
                return r;
        if (!streq(key, "UnixUserID") && !streq(key, "ProcessID"))
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_read(m, "v", "u", &value);
        if (r < 0)
                return r;
        if (streq(key, "UnixUserID"))
                id->uid = value;
        else
                id->process.pid = (pid_t) value;
        return 0;
}

static int read_credentials(sd_bus_message *m, struct identity *id) {
        int r;

        id->uid = (uid_t) -1;
        id->process = PIDREF_EMPTY;
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0) {
                r = sd_bus_message_enter_container(m, 'e', "sv");
                if (r <= 0)
                        break;
                r = read_credential(m, id);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                return r;
        return id->uid == (uid_t) -1 ? -ENODATA : 0;
}

static void go_on(struct dbus_call *call) {
        if (call->resolved(call) < 0)
                dbus_call_finish(call);
}

static int on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct dbus_call *call = userdata;
        struct callers *c = call->d->callers;
        int r = -EACCES;

        call->slot = sd_bus_slot_unref(call->slot);
        call->resolving = false;
        call->d->n_resolving--;
        if (!sd_bus_message_is_method_error(reply, NULL))
                r = read_credentials(reply, &c->last);
        if (r < 0) {
                fault_set(&call->fault, FAULT_ACCESS_DENIED, "The bus does not tell who is calling.");
                dbus_call_finish(call);
                return 1;
        }
        remember(c, sd_bus_message_get_sender(call->message));
        go_on(call);
        return 1;
}

bool dbus_is_resolving(const struct dbus *d, const char *sender) {
        if (d->n_resolving > 0)
                for (const struct dbus_call *call = d->calls; call; call = call->next)
                        if (call->resolving && streq_ptr(sd_bus_message_get_sender(call->message), sender))
                                return true;
        return false;
}

/* The bus answers in the order of our questions: who is asked about behind an earlier call of his is not served before it. */
int dbus_call_resolve(struct dbus_call *call) {
        const char *sender = sd_bus_message_get_sender(call->message);
        int r;

        if (!sender)
                return -EPERM; /* a bus always says */
        if (call->d->in_turn || (!dbus_is_resolving(call->d, sender) && lookup(call->d->callers, sender))) {
                go_on(call);
                return 0;
        }
        r = sd_bus_call_method_async(call->d->bus, &call->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionCredentials", on_credentials, call, "s",
                                     sender);
        if (r < 0)
                return r;
        call->resolving = true;
        call->d->n_resolving++;
        return r;
}

/* The number came from the bus some time ago, but the process was connected when it sent the call that we are at. */
static void identify(struct dbus_call *call, struct identity *id) {
        const struct process_port *port = dbus_process_port(call->d);
        struct pidref p;

        if (id->process.id || id->process.start || !pidref_is_set(&id->process) ||
            port->open(port->impl, id->process.pid, -EBADF, &p) < 0)
                return;
        port->close(port->impl, &p);
        id->process = p;
        id->process.fd = -EBADF;
        remember(call->d->callers, sd_bus_message_get_sender(call->message));
}

int dbus_call_caller(struct dbus_call *call, bool process, struct caller *ret) {
        struct identity *id = &call->d->callers->last;

        ret->uid = id->uid;
        ret->interactive = sd_bus_message_get_allow_interactive_authorization(call->message) > 0;
        ret->bus_name = strdup(strempty(sd_bus_message_get_sender(call->message)));
        if (!ret->bus_name)
                return -ENOMEM;
        if (process)
                identify(call, id);
        ret->process = id->process;
        if (process && !id->process.id && !id->process.start)
                ret->process = PIDREF_EMPTY; /* gone already: it cannot be leader or supervisor */
        return 0;
}

pid_t dbus_call_pid(struct dbus_call *call) {
        return call->d->callers->last.process.pid;
}
