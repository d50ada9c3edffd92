/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/dbus-systemd1.h: the scope manager on the bus: as much of org.freedesktop.systemd1 as clients need for scopes. Every
 * function takes NULL for "there is none". */
#pragma once

#include "ipc/dbus-internal.h"
#include "service/units.h"

#define SYSTEMD1_NAME "org.freedesktop.systemd1"
#define SYSTEMD1_PATH "/org/freedesktop/systemd1"
#define SYSTEMD1_UNIT_PREFIX SYSTEMD1_PATH "/unit"
#define SYSTEMD1_MANAGER SYSTEMD1_NAME ".Manager"
#define SYSTEMD1_UNIT SYSTEMD1_NAME ".Unit"
#define SYSTEMD1_SCOPE SYSTEMD1_NAME ".Scope"
#define JOB_PATH_SIZE (sizeof(SYSTEMD1_PATH "/job/") + 10)
#define PEERS_MAX 4096

struct peer; /* dbus-systemd1-peers.c: a client that we want to hear the end of */

/* What a unit object's handlers get: found once for each message. */
struct unit_found {
        struct systemd1 *s;
        struct unit_view view;
};

struct systemd1 {
        struct dbus *d;
        struct units *units;
        struct peer *peers;
        size_t n_peers, n_subscribers;
        struct unit_found found;
        bool owned; /* the name is ours */
};

int systemd1_new(struct dbus *d, struct units *units, struct systemd1 **ret);
void systemd1_free(struct systemd1 *s);
int systemd1_export(struct systemd1 *s, sd_bus *bus);
int systemd1_request_name(struct systemd1 *s, sd_bus *bus);
void systemd1_acquired(struct systemd1 *s);
void systemd1_disconnected(struct systemd1 *s);
/* The bus itself is gone, and with it whoever was on it. */
void systemd1_lost(struct systemd1 *s);

/* ---- among the files of this door ---- */
extern const sd_bus_vtable systemd1_manager_vtable[], systemd1_unit_vtable[], systemd1_scope_vtable[];

/* Asks whether the caller may; act(call) then reads the arguments, does it and answers: dbus_call's `reply`. */
int systemd1_manage(struct systemd1 *s, sd_bus_message *m, int (*act)(struct dbus_call *call));
/* Answers a done job: its path now, JobRemoved afterwards when it is `over`. */
int systemd1_reply_job(struct dbus_call *call, uint32_t job, const char *unit, bool over);
char *systemd1_job_path(uint32_t job, char ret[static JOB_PATH_SIZE]);
/* malloc'ed. NULL: out of memory. */
char *systemd1_unit_path(const char *unit);
/* Appends a(sus) to a reply for a unit's processes, and sends it. */
int systemd1_reply_processes(struct systemd1 *s, sd_bus_message *m, const char *unit, sd_bus_error *error);

/* The acts that both the Manager's and the unit's methods lead to; the arguments after the unit's name are next in
 * call->message. */
int systemd1_act_stop(struct dbus_call *call, const char *unit);
int systemd1_act_kill(struct dbus_call *call, const char *unit);
int systemd1_act_set_properties(struct dbus_call *call, const char *unit);
int systemd1_answer(struct dbus_call *call, int r, const struct fault *f);

/* dbus-systemd1-start.c: StartTransientUnit once the caller may. */
int systemd1_act_start(struct dbus_call *call);

/* dbus-systemd1-peers.c. -EALREADY, -ENOENT; -ENOBUFS: too many. */
int peers_subscribe(struct systemd1 *s, const char *name);
int peers_unsubscribe(struct systemd1 *s, const char *name);
/* units_controller_gone() when name leaves the bus, or is not on it now. */
int peers_watch_controller(struct systemd1 *s, const char *name);
void peers_clear(struct systemd1 *s);
