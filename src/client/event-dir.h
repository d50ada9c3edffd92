/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client/event-dir.h: the journal of events in run_dir/muster/events, for when no daemon can be asked. */
#pragma once

#include "core/event-ring.h"

/* All events that the files have; lines that are no events are left out. Absent files are an empty journal. -EACCES, -ENOMEM. */
int event_dir_load(const char *run_dir, struct event_ring **ret);
