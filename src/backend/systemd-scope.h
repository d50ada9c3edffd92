/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/systemd-scope.h: transient scopes that org.freedesktop.systemd1 is starting for us: call, job, answer.
 * Signals of other units never reach us: each match names one unit and lives as long as its job. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "backend/cgroup-host.h"
#include "core/ports.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD_NAME ".Manager"
#define SYSTEMD_ERROR(name) SYSTEMD_NAME "." name

/* The connection, or NULL while there is none; it may change between calls. */
typedef sd_bus *(*systemd_bus_fn)(void *userdata);

struct systemd_scopes; /* opaque: those that are being started */

struct systemd_scopes_config {
        sd_event *event;
        const struct cgroup_host *host;     /* borrowed: where is a leader? */
        const struct process_port *process; /* borrowed: does it live? */
        systemd_bus_fn get_bus;
        void *userdata;
};

int systemd_scopes_new(const struct systemd_scopes_config *config, struct systemd_scopes **ret);
/* What is pending gets -ESHUTDOWN. */
void systemd_scopes_free(struct systemd_scopes *s);
DEFINE_AUTO(struct systemd_scopes *, systemd_scopes_free)

/* Starts m->unit with m->leader in it; create() of the supervisor port, so m and props stay until done(). */
void systemd_scope_start(struct systemd_scopes *s, const struct machine *m, const struct scope_properties *props,
                         port_done_fn done, void *userdata);
/* A start that nobody waits for any more, because musterd was started anew: cancelled if it is still to come. A scope that
 * is there may be somebody else's of that name and is left alone. No bus: -ENOTCONN. */
int systemd_scope_take_back(sd_bus *bus, const char *unit);
/* During done() with an error: what the service manager said, or NULL. */
const struct refusal *systemd_scopes_refusal(const struct systemd_scopes *s);

/* A method of the manager that begins with a unit's name: its arguments go on with `types`. on_answer may be NULL. No
 * bus: -ENOTCONN. */
int systemd_call_unit(sd_bus *bus, sd_bus_slot **ret_slot, const char *method, const char *unit,
                      sd_bus_message_handler_t on_answer, void *userdata, const char *types, ...);
