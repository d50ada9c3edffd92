/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/varlink-server.h: the Varlink doors: io.systemd.Machine and its like at their stock sockets. */
#pragma once

#include <systemd/sd-event.h>

#include "ipc/log-control.h"
#include "service/service.h"

struct varlink_server; /* opaque */

struct varlink_config {
        const char *run;                       /* run-time directory, "/run" on a host */
        const struct log_control *log_control; /* borrowed */
};

/* Listens on RUN/systemd/machine/io.systemd.Machine (or on a socket named "varlink" that was passed, sd_listen_fds(3)), shows it in
 * RUN/varlink/registry, and on those of varlink-doors.c. -EADDRINUSE: another daemon answers on the first. -errno. */
int varlink_server_new(sd_event *e, struct service *s, const struct varlink_config *config,
                       struct varlink_server **ret);
void varlink_server_free(struct varlink_server *v);
DEFINE_AUTO(struct varlink_server *, varlink_server_free)
