/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/json-bounds.h: how much a JSON text can become in memory, found out before anything is allocated for it. */
#pragma once

#include <stddef.h>

struct json_bounds {
        size_t size;   /* bytes of text */
        int depth;     /* nested arrays and objects: the JSON library recurses */
        size_t values; /* arrays, objects and what they hold, roughly; SIZE_MAX: any number */
};

/* 0: within the bounds (and perhaps no JSON at all: that the library says). -EMSGSIZE: too long. -EBADMSG: too deep, too
 * many, or brackets that do not match. */
int json_bounds_check(const char *text, size_t size, const struct json_bounds *b);
