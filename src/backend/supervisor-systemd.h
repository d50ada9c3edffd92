/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/supervisor-systemd.h: the supervisor port on a host whose PID 1 is systemd: scopes are units, which it makes,
 * stops and collects for us. Nothing here waits for it. */
#pragma once

#include "backend/helper.h"
#include "backend/systemd-scope.h"
#include "core/ports.h"

struct supervisor_systemd; /* opaque */

struct supervisor_systemd_config {
        systemd_bus_fn get_bus;             /* the connection to ask by */
        void *userdata;                     /* for get_bus */
        struct helper *helper;              /* borrowed: kills machines without a cgroup */
        const struct process_port *process; /* borrowed */
        uint64_t stop_timeout_usec; /* for machines that are no unit of their own; 0: 10 s. Units have their own */
};

/* Is systemd the manager of this host? sd_booted(3), and PID 1 is it. */
bool systemd_is_manager(void);

/* Needs no bus to begin with. -ENOMEM. */
int supervisor_systemd_new(sd_event *e, const struct supervisor_systemd_config *config,
                           struct supervisor_systemd **ret);
/* Answers what is pending with -ESHUTDOWN, so before those who asked are freed. */
void supervisor_systemd_free(struct supervisor_systemd *s);
DEFINE_AUTO(struct supervisor_systemd *, supervisor_systemd_free)
struct supervisor_port supervisor_systemd_port(struct supervisor_systemd *s);
/* For the log. */
const char *supervisor_systemd_describe(const struct supervisor_systemd *s);
