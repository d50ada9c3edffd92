/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/utf8.h: which bytes are text that may be shown. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at s (RFC 3629: shortest form, no surrogates, up to U+10FFFF), or 0: malformed, cut off by size, or a
 * control character. C1 controls, which some terminals obey, are among those. */
size_t utf8_printable(const char *s, size_t size);
/* All of it, whatever the characters are. */
bool utf8_is_valid(const char *s);
