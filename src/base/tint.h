/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/tint.h: a background colour for all that a terminal shows, though programs set colours, too: ECMA-48, "SGR". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TINT_COLOR_MAX 64
/* Room that tint_feed() needs for one byte. */
#define TINT_ROOM (TINT_COLOR_MAX + 8)

struct tint {
        char sequence[TINT_COLOR_MAX + 4]; /* that sets it, NUL-terminated; "": none */
        size_t size;
        int state;
        char parameters[64]; /* of the control sequence at hand, as far as they matter */
        size_t n_parameters;
        bool private, soft_reset;
};

/* color: the numbers of an SGR sequence, such as "44" or "48;5;17", at most TINT_COLOR_MAX bytes; NULL or "": none. */
void tint_init(struct tint *t, const char *color);
/* Passes on *n bytes of what a program shows, or as many of them as there is room for, which *n is then; with each sequence that takes
 * the background away the colour comes again. The number of bytes written. */
size_t tint_feed(struct tint *t, const char *in, size_t *n, char *out, size_t room);
