/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/id128.h: 128-bit identifiers as text: 32 lower-case hex digits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct id128 {
        uint8_t bytes[16];
};

#define ID128_STRING_SIZE 33

bool id128_is_null(const struct id128 *id);
bool id128_equal(const struct id128 *a, const struct id128 *b);
/* ret: 33 bytes. Returns ret. */
char *id128_to_string(const struct id128 *id, char ret[static ID128_STRING_SIZE]);
/* 32 hex digits, or 36 characters in UUID form. -EINVAL. */
int id128_from_string(const char *s, struct id128 *ret);
