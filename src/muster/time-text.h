/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/time-text.h: points in time as people write them on a command line. */
#pragma once

#include <stdint.h>

#define TIME_TEXT_FORMS "a time such as \"2026-11-26 10:00\", 10:00, today, yesterday, now, -1h or @1795687200"

/* DATE, TIME or both, with a blank or a T between them, of this host's time zone, or with a Z behind them of UTC; "today" and
 * "yesterday" (at midnight), "now"; "-" and a span (base/parse.h); "@" and seconds. DATE is YYYY-MM-DD, TIME is HH:MM[:SS].
 * Microseconds since 1970, no later than the year 9999. -EINVAL. */
int time_text_parse(const char *s, uint64_t now_usec, uint64_t *ret);
