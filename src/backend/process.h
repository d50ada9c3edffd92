/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/process.h: the process port over pidfds. */
#pragma once

#include <systemd/sd-event.h>

#include "core/ports.h"

struct process; /* opaque */

/* on_exit runs from the loop, once for each watched machine whose leader died; the machine is unwatched before. */
int process_new(sd_event *e, void (*on_exit)(void *userdata, struct machine *m), void *userdata, struct process **ret);
void process_free(struct process *p);
DEFINE_AUTO(struct process *, process_free)
struct process_port process_port(struct process *p);
