/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* musterd/read-ahead.h: reads the user maps of new machines when there is nothing else to do, so that nobody who asks for a user waits
 * until those of a thousand machines were read. Not at once: many a machine lives for a moment, and is never asked about. */
#pragma once

#include <systemd/sd-event.h>

#include "base/auto.h"
#include "service/service.h"

struct read_ahead; /* opaque */

/* Borrows the service. Negative errno. */
int read_ahead_new(sd_event *e, struct service *s, struct read_ahead **ret);
void read_ahead_free(struct read_ahead *a);
DEFINE_AUTO(struct read_ahead *, read_ahead_free)
