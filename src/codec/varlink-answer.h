/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/varlink-answer.h: one reply of a Varlink service, as its caller sees it. The text is hostile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

#define VARLINK_ANSWER_MAX (1024 * 1024) /* bytes of one reply; a longer one is refused */
#define VARLINK_ANSWER_DEPTH_MAX 32      /* nested arrays and objects */

struct json_t; /* jansson's; only codec/ looks inside */

/* Strings are owned. */
struct varlink_answer {
        bool continues;            /* more replies to the same call will come */
        char *error;               /* "io.systemd.Machine.NoSuchMachine"; NULL: success */
        char *parameter;           /* what org.varlink.service.InvalidParameter, MethodNotFound... name; NULL: none */
        int error_number;          /* positive errno of io.systemd.System; 0: not told */
        struct json_t *parameters; /* always an object, may be empty */
};

#define VARLINK_ANSWER_EMPTY ((struct varlink_answer){ 0 })

/* text: size bytes without the closing NUL byte. -EBADMSG: no reply. -EMSGSIZE: too long. -ENOMEM. */
int varlink_answer_decode(const char *text, size_t size, struct varlink_answer *ret);
/* The sentence that an error of org.muster.Machine1 carries; NULL: none. Borrowed, and as hostile as the rest. */
const char *varlink_answer_message(const struct varlink_answer *a);
/* Single parameters: absent, of another type, or above max: NULL, -ENODATA. */
const char *varlink_answer_string(const struct varlink_answer *a, const char *key);
int varlink_answer_unsigned(const struct varlink_answer *a, const char *key, uint64_t max, uint64_t *ret);
void varlink_answer_done(struct varlink_answer *a);
