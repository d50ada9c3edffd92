/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies of the registry, read on the client's side. jansson recurses while it parses, so the depth is measured on the
 * plain text first (codec/json-bounds.h): a stack that overflows in a client run by root would be a gift. */
#include "codec/varlink-answer.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "codec/json-bounds.h"

static int copy_text(const json_t *value, char **ret) {
        char *s;

        if (!json_is_string(value))
                return 0;
        s = strdup(json_string_value(value));
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}

/* The two details that make a better sentence than the error's name alone. */
static int error_details(struct varlink_answer *a) {
        const json_t *number = json_object_get(a->parameters, "errno");
        const json_t *what = json_object_get(a->parameters, "parameter");

        if (json_is_integer(number) && json_integer_value(number) > 0 && json_integer_value(number) < 4096)
                a->error_number = (int) json_integer_value(number);
        if (!what)
                what = json_object_get(a->parameters, "method");
        return copy_text(what, &a->parameter);
}

static int fill(struct varlink_answer *a, const json_t *top) {
        json_t *parameters = json_object_get(top, "parameters");
        const json_t *error = json_object_get(top, "error");
        const json_t *continues = json_object_get(top, "continues");
        int r;

        if ((error && !json_is_string(error)) || (continues && !json_is_boolean(continues)) ||
            (parameters && !json_is_object(parameters) && !json_is_null(parameters)))
                return -EBADMSG;
        a->continues = json_is_true(continues);
        a->parameters = json_is_object(parameters) ? json_incref(parameters) : json_object();
        if (!a->parameters)
                return -ENOMEM;
        r = copy_text(error, &a->error);
        if (r < 0 || !a->error)
                return r;
        return error_details(a);
}

int varlink_answer_decode(const char *text, size_t size, struct varlink_answer *ret) {
        static const struct json_bounds bounds = { VARLINK_ANSWER_MAX, VARLINK_ANSWER_DEPTH_MAX, SIZE_MAX };
        struct varlink_answer a = VARLINK_ANSWER_EMPTY;
        json_t *top;
        int r;

        r = json_bounds_check(text, size, &bounds);
        if (r < 0)
                return r;
        top = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        if (!top)
                return -EBADMSG;
        r = json_is_object(top) ? fill(&a, top) : -EBADMSG;
        json_decref(top);
        if (r < 0) {
                varlink_answer_done(&a);
                return r;
        }
        *ret = a;
        return 0;
}

const char *varlink_answer_string(const struct varlink_answer *a, const char *key) {
        return json_string_value(json_object_get(a->parameters, key));
}

int varlink_answer_unsigned(const struct varlink_answer *a, const char *key, uint64_t max, uint64_t *ret) {
        const json_t *value = json_object_get(a->parameters, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t) json_integer_value(value) > max)
                return -ENODATA;
        *ret = (uint64_t) json_integer_value(value);
        return 0;
}

const char *varlink_answer_message(const struct varlink_answer *a) {
        return varlink_answer_string(a, "message");
}

void varlink_answer_done(struct varlink_answer *a) {
        if (!a)
                return;
        free(a->error);
        free(a->parameter);
        json_decref(a->parameters);
        *a = VARLINK_ANSWER_EMPTY;
}
