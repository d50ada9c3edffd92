/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection: made when there is a bus, made again when it comes back; objects, name, signals.
 * Nothing here waits: even asking for the name is a message like any other. */
#include "ipc/dbus-server.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "ipc/dbus-internal.h"
#include "ipc/dbus-systemd1.h"

#define BUS_NAME "org.freedesktop.machine1"
#define DEFAULT_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define RETRY_USEC (2 * UINT64_C(1000000))
#define ANSWER_USEC (3 * UINT64_C(1000000))
#define UNANNOUNCED_MAX 65536

static int dbus_connect(struct dbus *d);

static void settle(struct dbus *d) {
        void (*settled)(void *userdata) = d->settled;

        d->settled = NULL;
        if (settled)
                settled(d->userdata);
}

static void dbus_disconnect(struct dbus *d) {
        while (d->calls)
                dbus_call_free(d->calls);
        d->ready = d->lost = false;
        systemd1_disconnected(d->systemd1);
        callers_free(d->callers); /* unique names mean nothing on the next bus */
        d->callers = NULL;
        if (d->bus) {
                sd_bus_detach_event(d->bus);
                sd_bus_close(d->bus);
                d->bus = sd_bus_unref(d->bus);
        }
}

/* Said once, until the bus has been seen again. */
static void note_absence(struct dbus *d) {
        if (!d->refused)
                log_info("No D-Bus system bus serves us (%s): serving Varlink only until one does.", d->address);
        d->refused = true;
        settle(d);
}

static void arm(struct dbus *d, uint64_t usec) {
        sd_event_source_set_time_relative(d->retry, usec);
        sd_event_source_set_enabled(d->retry, SD_EVENT_ONESHOT);
}

/* Connects; or, some seconds after that, looks whether the bus has answered at all: one that only listens must hold up
 * neither our start nor the next attempt. */
static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        struct dbus *d = userdata;

        if (d->bus && !d->lost && sd_bus_is_ready(d->bus) > 0) {
                settle(d);
                return 0;
        }
        if (d->bus && !d->lost)
                note_absence(d);
        dbus_disconnect(d);
        if (dbus_connect(d) >= 0) {
                arm(d, ANSWER_USEC);
                return 0;
        }
        note_absence(d);
        arm(d, RETRY_USEC);
        return 0;
}

/* Leaves the connection alone while its own callbacks run; the timer takes it down. */
static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;
        bool served = d->ready;

        d->lost = true;
        d->ready = false;
        systemd1_lost(d->systemd1);
        if (served)
                log_notice("The D-Bus connection is gone: serving Varlink, waiting for the bus to come back.");
        else
                note_absence(d);
        arm(d, served ? RETRY_USEC / 10 : RETRY_USEC);
        return 0;
}

/* ---- signals ---- */

static void emit(struct dbus *d, const char *signal, const char *name) {
        char path[MACHINE_PATH_SIZE];
        int r;

        r = sd_bus_emit_signal(d->bus, MANAGER_PATH, MANAGER_INTERFACE, signal, "so", name,
                               dbus_machine_path(name, path));
        if (r < 0)
                log_debug_errno(r, "Cannot send %s of machine %s", signal, name);
}

static void on_machine_new(void *impl, const struct machine *m) {
        struct dbus *d = impl;

        if (d->ready)
                emit(d, "MachineNew", m->name);
}

static void on_machine_removed(void *impl, const struct machine *m) {
        struct dbus *d = impl;

        if (d->ready)
                emit(d, "MachineRemoved", m->name);
        else if (strv_length(d->unannounced) < UNANNOUNCED_MAX)
                strv_extend(&d->unannounced, m->name);
}

/* Clients match on the name, so what happened before it was ours is told now: what ended, then what is there. */
static void on_ready(struct dbus *d) {
        d->ready = true;
        d->refused = false;
        sd_event_source_set_enabled(d->retry, SD_EVENT_OFF); /* it has answered: no need to look again */
        log_debug("The bus name " BUS_NAME " is ours.");
        for (char **name = d->unannounced; name && *name; name++)
                emit(d, "MachineRemoved", *name);
        strv_free(d->unannounced);
        d->unannounced = NULL;
        for (struct machine *m = service_first(d->service, false); m; m = service_next(d->service, m))
                if (m->state != MACHINE_OPENING)
                        emit(d, "MachineNew", m->name);
        settle(d);
}

static int on_name_acquired(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;
        const char *name = NULL;

        if (sd_bus_message_read(m, "s", &name) < 0)
                return 0;
        if (streq(name, BUS_NAME) && !d->ready)
                on_ready(d);
        else if (streq(name, SYSTEMD1_NAME))
                systemd1_acquired(d->systemd1);
        return 0;
}

static int on_name_requested(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;
        uint32_t result = 0;

        if (sd_bus_message_is_method_error(m, NULL)) {
                log_error("The bus refuses us the name %s: %s. Is the bus policy file installed?", BUS_NAME,
                          sd_bus_message_get_error(m)->message);
                settle(d);
                return 0;
        }
        if (sd_bus_message_read(m, "u", &result) < 0)
                return 0;
        if (result == 2) { /* in queue: NameAcquired follows when the owner leaves */
                log_warning("Another program owns the bus name %s (systemd-machined?): waiting for it to leave.",
                            BUS_NAME);
                settle(d);
        } else if (!d->ready)
                on_ready(d);
        return 0;
}

/* ---- connecting ---- */

static int export_objects(struct dbus *d) {
        sd_bus *bus = d->bus;
        int r;

        r = sd_bus_add_filter(bus, NULL, dbus_self_filter, d);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, dbus_order_filter, d);
        if (r >= 0)
                r = sd_bus_add_filter(bus, NULL, dbus_log_control_filter, d);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, MANAGER_INTERFACE, manager_vtable, d);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, MACHINE_PREFIX, MACHINE_INTERFACE, machine_vtable,
                                               dbus_machine_find, d);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, MACHINE_PREFIX, dbus_machine_enumerate, d);
        if (r >= 0)
                r = systemd1_export(d->systemd1, bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE, log_control_vtable, d);
        return r;
}

static int follow_bus(struct dbus *d) {
        int r;

        r = sd_bus_match_signal(d->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, d);
        if (r >= 0)
                r = sd_bus_match_signal_async(d->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameAcquired", on_name_acquired, NULL, d);
        if (r >= 0) /* first: who sees machine1 may rely on it */
                r = systemd1_request_name(d->systemd1, d->bus);
        if (r >= 0)
                r = sd_bus_request_name_async(d->bus, NULL, BUS_NAME, SD_BUS_NAME_QUEUE, on_name_requested, d);
        return r;
}

static int dbus_connect(struct dbus *d) {
        int r;

        r = callers_new(&d->callers);
        if (r >= 0)
                r = sd_bus_new(&d->bus);
        if (r >= 0)
                r = sd_bus_set_description(d->bus, "system");
        if (r >= 0)
                r = sd_bus_set_address(d->bus, d->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(d->bus, true);
        if (r >= 0)
                r = sd_bus_start(d->bus);
        if (r >= 0)
                r = sd_bus_attach_event(d->bus, d->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = export_objects(d);
        if (r >= 0)
                r = follow_bus(d);
        if (r < 0)
                dbus_disconnect(d);
        return r;
}

int dbus_new(sd_event *e, struct service *s, const struct dbus_config *config, struct dbus **ret) {
        AUTO(dbus_freep) struct dbus *d = calloc(1, sizeof(*d));
        const char *address = config->address;
        int r;

        if (!d)
                return -ENOMEM;
        if (!address)
                address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        d->address = strdup(isempty(address) ? DEFAULT_ADDRESS : address);
        if (!d->address)
                return -ENOMEM;
        d->event = sd_event_ref(e);
        d->service = s;
        d->log_control = config->log_control;
        d->settled = config->settled;
        d->userdata = config->userdata;
        d->found.d = d;
        if (config->units) {
                r = systemd1_new(d, config->units, &d->systemd1);
                if (r < 0)
                        return r;
        }
        r = sd_event_add_time(e, &d->retry, CLOCK_MONOTONIC, 0, 0, on_retry, d);
        if (r < 0)
                return r;
        *ret = STEAL(d);
        return 0;
}

void dbus_free(struct dbus *d) {
        if (!d)
                return;
        if (d->bus && d->ready)
                sd_bus_flush(d->bus); /* answers already written; the daemon is on its way out */
        dbus_disconnect(d);
        systemd1_free(d->systemd1);
        sd_event_source_disable_unref(d->retry);
        sd_event_unref(d->event);
        strv_free(d->unannounced);
        free(d->address);
        free(d);
}

struct notify_port dbus_notify_port(struct dbus *d) {
        return (struct notify_port){ d, on_machine_new, on_machine_removed };
}

const struct process_port *dbus_process_port(struct dbus *d) {
        return &service_ports(d->service)->process;
}

sd_bus *dbus_connection(struct dbus *d) {
        return d->ready ? d->bus : NULL;
}
