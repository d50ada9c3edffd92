/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/json-out.h: lays JSON text out for people. */
#pragma once

#include <stddef.h>

#include "base/str.h"

/* Appends text (size bytes of JSON, as codec/json-text.h writes it) indented by four blanks, keys in their order, and a
 * newline. -EBADMSG: not JSON. -ENOMEM. */
int json_pretty(const char *text, size_t size, struct buf *out);
