/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/output.h: how text reaches the user: colour and pager on a terminal, JSON as asked, foreign text made harmless. */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "muster/options.h"

/* Writes text to standard output, through a pager when it is a terminal. Returns an exit status. */
int output_show(const struct options *o, const struct buf *text);
/* The same for JSON text, laid out as o->json says; adds the closing newline. */
int output_json(const struct options *o, const struct buf *json);

/* Writes text to standard output at once, never through a pager. -EPIPE: nobody reads it any more; -errno. */
int output_write(const struct buf *text);

/* An escape sequence, or "" where standard output is no terminal or NO_COLOR is set. Static storage. */
const char *output_bold(void);
const char *output_green(void);
const char *output_red(void);
const char *output_normal(void);
/* To be called where characters are counted or chosen. The locale is not loaded before: a command in a machine needs none. */
void output_use_locale(void);
bool output_is_utf8(void);
/* Columns of the terminal; 0: not a terminal, do not shorten. */
unsigned output_width(void);

/* A copy that is safe to print: control characters and everything but ASCII become \xHH. NULL and "" give "-" when dash.
 * Aborts on out of memory: there is nothing a client can do about that. */
char *output_safe(const char *s, bool dash);

/* "Sat 2024-05-04 12:00:00 UTC" of microseconds since 1970; "" for 0. */
void output_time(uint64_t usec, char *ret, size_t size);
/* "3min 5s" */
void output_span(uint64_t usec, char *ret, size_t size);
