/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/event-file.h: the event port: one line for each event in RUN/muster/events. */
#pragma once

#include "core/ports.h"

struct event_file; /* opaque */

/* run: the run-time directory, "/run" on a host; RUN/muster/events is made (0755). max_events: how many are kept in memory; so many
 * fit into each of the two files, too, if they are of the usual size. -errno of mkdir(2), open(2). */
int event_file_new(const char *run, size_t max_events, struct event_file **ret);
void event_file_free(struct event_file *f);
DEFINE_AUTO(struct event_file *, event_file_free)
struct event_port event_file_port(struct event_file *f);
