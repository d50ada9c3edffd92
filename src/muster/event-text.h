/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/event-text.h: an event as people read it, and as programs do. */
#pragma once

#include "base/str.h"
#include "core/event-ring.h"
#include "muster/options.h"

/* The titles of the columns; nothing for JSON and with --no-legend. */
void event_text_header(const struct options *o, struct buf *out);
/* One line, or a JSON object as o->json says. */
void event_text(const struct options *o, const struct event *e, struct buf *out);
void event_text_gap(const struct options *o, const struct event_gap *gap, struct buf *out);
