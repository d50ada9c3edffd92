/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/bytes.h: numbers and strings in the messages between our own programs: little-endian, and ended by NUL. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The lowest n_bytes (at most 8) of value, to as many bytes at p. */
static inline void bytes_put(uint8_t *p, uint64_t value, size_t n_bytes) {
        for (size_t i = 0; i < n_bytes; i++, value >>= 8)
                p[i] = (uint8_t) value;
}

/* The number in the n_bytes (at most 8) at p. */
static inline uint64_t bytes_get(const uint8_t *p, size_t n_bytes) {
        uint64_t value = 0;

        while (n_bytes-- > 0)
                value = value << 8 | p[n_bytes];
        return value;
}

/* The string that *text begins with, of *left bytes; both are moved behind it. NULL: it has no end there. */
static inline const char *bytes_next_string(const char **text, size_t *left) {
        const char *s = *text, *end = *left > 0 ? memchr(s, '\0', *left) : NULL;

        if (!end)
                return NULL;
        *left -= (size_t) (end - s) + 1;
        *text = end + 1;
        return s;
}
