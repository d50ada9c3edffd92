/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/stopping.h: machines that were asked to end, and the moment when somebody has to look again. */
#pragma once

#include <systemd/sd-event.h>

#include "core/ports.h"

struct stopping; /* opaque: the list */

/* The time of a machine is over; m is a copy without descriptors, valid during the call. It is no longer in the list, so it
 * may be added again. */
typedef void (*stopping_fn)(void *userdata, const struct machine *m, int step);

int stopping_new(sd_event *e, stopping_fn late, void *userdata, struct stopping **ret);
void stopping_free(struct stopping *s);
DEFINE_AUTO(struct stopping *, stopping_free)

/* late(m, step) comes in usec from now, instead of what was added for this name before. m is copied. -ENOMEM. */
int stopping_add(struct stopping *s, const struct machine *m, uint64_t usec, int step);
/* Nothing comes for m any more. True: something would have. */
bool stopping_forget(struct stopping *s, const struct machine *m);

/* What it takes to stop m later: a machine without descriptors, malloc'ed, to be freed by machine_free(). -ENOMEM. */
int stopping_copy(const struct machine *m, struct machine **ret);

/* Does m have a supervisor that shuts it down in order when it is told to end? */
bool stopping_is_for_supervisor(const struct process_port *process, const struct machine *m);
