/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/parse.h: text to numbers, strictly: digits only, no sign (but i32), no blanks, no suffix unless said.
 * All return 0, -EINVAL (not a number) or -ERANGE (does not fit); *ret is untouched on failure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

int parse_u32(const char *s, uint32_t *ret);
int parse_u64(const char *s, uint64_t *ret);
int parse_i32(const char *s, int32_t *ret); /* one leading '-' allowed */
int parse_hex_u64(const char *s, uint64_t *ret);
/* yes/no, true/false, on/off, 1/0, y/n, t/f, case-sensitive lower case. */
int parse_bool(const char *s, bool *ret);
/* Seconds, or a number with one of us ms s min h d; "infinity" gives UINT64_MAX. Microseconds in *ret. */
int parse_usec(const char *s, uint64_t *ret);
