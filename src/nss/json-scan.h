/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/json-scan.h: JSON text, as it arrives, in constant memory: each value is told with its path. Pure, allocates nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_SCAN_DEPTH_MAX 32
#define JSON_SCAN_PATH_MAX 64  /* bytes; what is deeper has a path that ends with '?' */
#define JSON_SCAN_TEXT_MAX 128 /* bytes of a string or number; of a longer one the text is not told */

enum json_scan_event {
        JSON_SCAN_STRING,
        JSON_SCAN_WORD, /* a number, true, false, null */
        JSON_SCAN_BEGIN_OBJECT,
        JSON_SCAN_END_OBJECT,
        JSON_SCAN_BEGIN_ARRAY,
        JSON_SCAN_END_ARRAY,
};

/* path: where the value is, as in "parameters.answer[].rr"; '.' and '[' in names appear as '?'. text: of strings, unescaped
 * ('?' for what is not ASCII there), and of words; NULL: too long. */
typedef void (*json_scan_fn)(void *userdata, enum json_scan_event event, const char *path, const char *text);

struct json_scan {
        json_scan_fn on_value;
        void *userdata;
        int state;
        bool is_name;      /* the string being read is the name of a member */
        unsigned n_digits; /* of \uXXXX */
        unsigned depth;
        uint32_t arrays;                      /* bit i: the container at depth i is an array */
        uint8_t lengths[JSON_SCAN_DEPTH_MAX]; /* of the path of the container at that depth */
        uint8_t path_size, text_size;
        bool too_long;
        char path[JSON_SCAN_PATH_MAX + 1];
        char text[JSON_SCAN_TEXT_MAX + 1];
};

void json_scan_init(struct json_scan *s, json_scan_fn on_value, void *userdata);
/* 1: a whole value and a NUL behind it were seen, the rest is ignored. 0: there is more to come. -EBADMSG: not JSON, or too deep. */
int json_scan_feed(struct json_scan *s, const char *data, size_t size);

/* A word that is a whole number from 0 to max. -EINVAL, -ERANGE. */
int json_scan_number(const char *text, uint32_t max, uint32_t *ret);
