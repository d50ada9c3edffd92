/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/console-look.h: what a terminal that somebody types at is told beside what the payload writes. */
#pragma once

#include "base/terminal-context.h"
#include "plan/facts.h"
#include "spec/spec.h"

struct console_look {
        const char *background; /* as tint_init() takes it, the spec's; NULL: the terminal's own */
        char begin[TERMINAL_CONTEXT_MAX], end[256];
};

/* By $TERM ("dumb", or nothing: it is told nothing) and $NO_COLOR (no-color.org: neither a colour nor a title). */
void console_look_make(struct console_look *ret, const struct spec *spec, const struct facts *facts);
