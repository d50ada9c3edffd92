/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/dbus-server.h: the D-Bus door: org.freedesktop.machine1 on a bus that may come and go. */
#pragma once

#include <systemd/sd-event.h>

#include "ipc/log-control.h"
#include "service/units.h"

struct dbus; /* opaque */
typedef struct sd_bus sd_bus;

struct dbus_config {
        const char *address;                   /* D-Bus address; NULL: $DBUS_SYSTEM_BUS_ADDRESS, else the system bus */
        const struct log_control *log_control; /* borrowed */
        struct units *units;                   /* borrowed; own org.freedesktop.systemd1 for them; NULL: do not */
        /* Runs once: the name is ours, or it is known that it will take a while (no bus, name taken). */
        void (*settled)(void *userdata);
        void *userdata;
};

/* Starts connecting; never fails for want of a bus, but tries again every two seconds. -ENOMEM. */
int dbus_new(sd_event *e, struct service *s, const struct dbus_config *config, struct dbus **ret);
void dbus_free(struct dbus *d);
DEFINE_AUTO(struct dbus *, dbus_free)
/* What the service announces to. */
struct notify_port dbus_notify_port(struct dbus *d);
/* The connection for our own calls (polkit); NULL while there is none. Borrowed, changes on reconnection. */
sd_bus *dbus_connection(struct dbus *d);
