/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/dbus-internal.h: what the D-Bus files share. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "ipc/dbus-error.h"
#include "ipc/dbus-server.h"
#include "service/service.h"

#define MANAGER_PATH "/org/freedesktop/machine1"
#define MANAGER_INTERFACE "org.freedesktop.machine1.Manager"
#define MACHINE_PREFIX "/org/freedesktop/machine1/machine"
#define MACHINE_INTERFACE "org.freedesktop.machine1.Machine"
#define IMAGE_PREFIX "/org/freedesktop/machine1/image"
#define SELF_PATH MACHINE_PREFIX "/self"
#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"
#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

/* The prefix, '/', and at most three bytes for each byte of a name. */
#define MACHINE_PATH_SIZE (sizeof(MACHINE_PREFIX) + 1 + 3 * 64 + 1)

struct systemd1;
struct callers; /* dbus-caller.c: who is behind a unique name */
struct dbus_call;

/* What a machine object's handlers get: found once per message. */
struct found {
        struct dbus *d;
        const struct machine *machine;
};

struct dbus {
        sd_event *event;
        sd_event_source *retry;
        char *address;
        sd_bus *bus;
        struct service *service;
        const struct log_control *log_control;
        struct callers *callers;
        struct systemd1 *systemd1; /* the scope manager's door; NULL: there is none */
        struct dbus_call *calls;   /* waiting for an answer */
        size_t n_resolving;        /* of these: for the bus to tell who calls */
        char **unannounced;        /* machines that went away before we had our name */
        void (*settled)(void *userdata);
        void *userdata;
        struct found found;
        bool in_turn; /* a call that has waited is being served: callers->last is who calls */
        bool ready;   /* the name is ours */
        bool lost;    /* the connection has ended, and is about to be taken down */
        bool refused; /* that no bus serves us was logged */
};

/* One method call on its way through the service. */
struct dbus_call {
        struct dbus *d;
        sd_bus_message *message;
        struct request *request;                 /* NULL for calls that need only the caller */
        int (*resolved)(struct dbus_call *call); /* who calls is known: go on. < 0: fault is set */
        int (*reply)(struct dbus_call *call);    /* success: send the answer; NULL: an empty one */
        struct fault fault;
        bool resolving;     /* the bus is being asked who calls */
        uint32_t number;    /* the handler's own */
        sd_bus_slot *slot;  /* credentials query, then the watch over the peer */
        sd_bus_slot *query; /* whether the peer was still there when that began */
        struct dbus_call *previous, *next;
};

/* Takes a reference to m, and q (may be NULL) over. NULL: out of memory. Ends by dbus_call_free(). */
struct dbus_call *dbus_call_new(struct dbus *d, sd_bus_message *m, struct request *q);
void dbus_call_free(struct dbus_call *call);
/* Answers with call->fault, if any, else by call->reply; frees the call. */
void dbus_call_finish(struct dbus_call *call);

/* The usual way of a verb on a machine: finds out who calls, submits, answers with reply(). q is consumed; the result is
 * what the sd-bus handler returns. */
int dbus_submit(struct dbus *d, sd_bus_message *m, struct request *q, int (*reply)(struct dbus_call *call));

/* dbus-caller.c. Finds uid and process of call->message's sender, then runs call->resolved(). */
int callers_new(struct callers **ret);
void callers_free(struct callers *c);
int dbus_call_resolve(struct dbus_call *call);
/* Is the bus being asked about this sender? */
bool dbus_is_resolving(const struct dbus *d, const char *sender);
/* After resolve. With `process`, its identity is known (it may be gone: then process.pid is 0). */
int dbus_call_caller(struct dbus_call *call, bool process, struct caller *ret);
pid_t dbus_call_pid(struct dbus_call *call);

const struct process_port *dbus_process_port(struct dbus *d);

/* dbus-machine.c */
extern const sd_bus_vtable machine_vtable[];
int dbus_machine_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                      sd_bus_error *error);
int dbus_machine_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error);
/* ret: MACHINE_PATH_SIZE bytes. Returns ret. */
char *dbus_machine_path(const char *name, char *ret);
/* Request for `verb` on machine `name`, both doors' methods of the same meaning. kind of reply as the verb has it. */
int dbus_verb(struct dbus *d, sd_bus_message *m, enum verb verb, const char *name,
              int (*reply)(struct dbus_call *call));
int dbus_kill(struct dbus *d, sd_bus_message *m, const char *name, sd_bus_error *error);
int dbus_reply_addresses(struct dbus_call *call);
int dbus_reply_os_release(struct dbus_call *call);
int dbus_reply_root(struct dbus_call *call);
int dbus_answer_uid_shift(struct dbus *d, sd_bus_message *m, const struct machine *machine, sd_bus_error *error);
int dbus_answer_ssh_info(sd_bus_message *m, const struct machine *machine, sd_bus_error *error);
int dbus_not_supported(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* dbus-session.c: OpenPTY, OpenLogin, OpenShell; m stands behind the machine's name. */
int dbus_open(struct dbus *d, sd_bus_message *m, enum verb verb, const char *name, sd_bus_error *error);

/* dbus-transfer.c: BindMount, CopyTo, CopyFrom, and with flags the last two; m stands behind the machine's name. */
int dbus_transfer(struct dbus *d, sd_bus_message *m, enum verb verb, const char *name, bool flags, sd_bus_error *error);

/* dbus-manager.c */
extern const sd_bus_vtable manager_vtable[];

/* dbus-list.c */
int dbus_list_machines(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* dbus-registration.c: one decoder for the six ways to register. */
enum registration_form { FORM_PLAIN, FORM_NETWORK, FORM_EX };
int dbus_register(struct dbus *d, sd_bus_message *m, enum registration_form form, bool create, sd_bus_error *error);

/* dbus-scope.c: reads a(sv), the last argument of m. What is unknown or of the wrong type is refused by name; with `passes`
 * all is let through, and *ret keeps m for whoever it goes to. *ret is zeroed before, and the caller's also on failure. */
int dbus_read_scope(sd_bus_message *m, bool passes, struct scope_properties *ret, sd_bus_error *error);
/* The same, never passing; but property(name, contents) is asked first, with m at the variant: 1: it has read it, 0: it
 * leaves it. */
struct scope_hook {
        int (*property)(void *userdata, sd_bus_message *m, const char *name, const char *contents, sd_bus_error *error);
        void *userdata;
};
int dbus_read_scope_with(sd_bus_message *m, const struct scope_hook *hook, struct scope_properties *ret,
                         sd_bus_error *error);

/* dbus-order.c: calls that come while the bus is being asked about their sender wait behind its earlier ones. */
int dbus_order_filter(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* dbus-self.c. Gives the call to its method in the vtable, and frees it. Returns 0. */
int dbus_call_method(struct dbus_call *call, const sd_bus_vtable *vtable, void *userdata);

/* .../machine/self, which needs to know who calls before there is an object. */
int dbus_self_filter(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* dbus-log-control.c */
extern const sd_bus_vtable log_control_vtable[];
int dbus_log_control_filter(sd_bus_message *m, void *userdata, sd_bus_error *error);
