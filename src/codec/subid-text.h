/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/subid-text.h: the ranges of subuid(5) and subgid(5). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct subid_range {
        uint32_t first, count;
};

/* The largest range of the user, who is named `name` (may be NULL) and has the number `uid`. -ENOENT: none. Lines that are no range
 * are skipped. */
int subid_find(const char *text, size_t size, const char *name, uint32_t uid, struct subid_range *ret);
