/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/json-text.h: writes JSON straight into a buffer, without building a tree: for replies that must be cheap.
 * Out of memory is remembered by the buffer (buf_error()), so calls return nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Where a value goes: commas are put by it. */
struct json_text {
        struct buf *out;
        bool comma; /* the next value or key needs one before it */
};

#define JSON_TEXT(buf) \
        { (buf), false }

/* key NULL: an element of an array, or the value at the top. */
void json_text_begin_object(struct json_text *j, const char *key);
void json_text_end_object(struct json_text *j);
void json_text_begin_array(struct json_text *j, const char *key);
void json_text_end_array(struct json_text *j);
void json_text_string(struct json_text *j, const char *key, const char *value); /* invalid UTF-8 becomes U+FFFD */
void json_text_unsigned(struct json_text *j, const char *key, uint64_t value);
void json_text_signed(struct json_text *j, const char *key, int64_t value);
void json_text_bool(struct json_text *j, const char *key, bool value);
void json_text_null(struct json_text *j, const char *key);
/* Members of an object, written elsewhere (without its braces). */
void json_text_members(struct json_text *j, const char *text, size_t size);
/* Text that is JSON already. */
void json_text_raw(struct json_text *j, const char *key, const char *text, size_t size);
/* Only when value is not NULL or empty: */
void json_text_string_if(struct json_text *j, const char *key, const char *value);
