/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/systemd-stop.h: asking org.freedesktop.systemd1 to stop the units of machines, and hearing whether it took that on. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "core/machine.h"

struct systemd_stops; /* opaque: the questions without an answer */

/* The manager has not taken on to stop m's unit: an error, or no answer in time. m is a copy without descriptors, valid during
 * the call; last: as it was asked. A unit that is not there is no failure. */
typedef void (*systemd_stop_failed_fn)(void *userdata, const struct machine *m, bool last);

int systemd_stops_new(systemd_stop_failed_fn failed, void *userdata, struct systemd_stops **ret);
void systemd_stops_free(struct systemd_stops *s);

/* StopUnit() of m->unit: at most one for each machine is on its way. No bus: -ENOTCONN. -ENOMEM. */
int systemd_stop_ask(struct systemd_stops *s, sd_bus *bus, const struct machine *m, bool last);
/* The answer about the machine of that name is of no interest any more. */
void systemd_stop_forget(struct systemd_stops *s, const char *name);
