/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two looks at a message: a scan that bounds its size, depth and number of values before anything is allocated for it, and
 * then the JSON library. Parameters are taken out by tables, so that each wrong one can be named. */
#include "codec/varlink-call.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/parse.h"
#include "base/signame.h"
#include "base/str.h"
#include "codec/json-bounds.h"
#include "codec/varlink-frame.h"

/* ---- the message ---- */

static int take_flag(const json_t *value, bool *ret) {
        if (!json_is_boolean(value))
                return -EBADMSG;
        *ret = json_is_true(value);
        return 0;
}

static int take_member(struct varlink_call *c, const char *key, json_t *value) {
        if (streq(key, "method")) {
                c->method = json_string_value(value);
                return c->method ? 0 : -EBADMSG;
        }
        if (streq(key, "parameters")) {
                if (json_is_null(value))
                        return 0;
                c->parameters = value;
                return json_is_object(value) ? 0 : -EBADMSG;
        }
        if (streq(key, "more"))
                return take_flag(value, &c->more);
        if (streq(key, "oneway"))
                return take_flag(value, &c->oneway);
        if (streq(key, "upgrade"))
                return take_flag(value, &c->upgrade);
        return -EBADMSG;
}

int varlink_call_parse(const char *text, size_t size, struct varlink_call *ret) {
        static const struct json_bounds bounds = { VARLINK_MESSAGE_MAX, VARLINK_DEPTH_MAX, VARLINK_VALUES_MAX };
        struct varlink_call c = VARLINK_CALL_EMPTY;
        json_error_t error;
        const char *key;
        json_t *value;
        int r;

        r = json_bounds_check(text, size, &bounds);
        if (r < 0)
                return r;
        c.root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!c.root)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        r = json_is_object(c.root) ? 0 : -EBADMSG;
        if (r >= 0)
                json_object_foreach (c.root, key, value) {
                        r = take_member(&c, key, value);
                        if (r < 0)
                                break;
                }
        /* A call cannot both want several answers and none. */
        if (r >= 0 && (!c.method || c.upgrade || (c.oneway && c.more)))
                r = -EBADMSG;
        if (r < 0) {
                varlink_call_done(&c);
                return r;
        }
        *ret = c;
        return 0;
}

void varlink_call_done(struct varlink_call *c) {
        json_decref(c->root);
        *c = (struct varlink_call) VARLINK_CALL_EMPTY;
}

/* ---- parameters ---- */

const char *varlink_array_string(const struct varlink_array *a, size_t i) {
        return json_string_value(json_array_get(a->array, i));
}

int64_t varlink_array_int(const struct varlink_array *a, size_t i) {
        return json_integer_value(json_array_get(a->array, i));
}

struct varlink_object varlink_array_object(const struct varlink_array *a, size_t i) {
        return (struct varlink_object){ json_array_get(a->array, i) };
}

static bool in_range(const struct varlink_field *f, int64_t value) {
        return (f->min == 0 && f->max == 0) || (value >= f->min && value <= f->max);
}

static bool get_string(const struct varlink_field *f, const json_t *value, void *out) {
        *(const char **) out = json_string_value(value);
        return json_is_string(value);
}

static bool get_int(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_int *i = out;

        if (!json_is_integer(value) || !in_range(f, json_integer_value(value)))
                return false;
        *i = (struct varlink_int){ json_integer_value(value), true };
        return true;
}

static bool get_bool(const struct varlink_field *f, const json_t *value, void *out) {
        *(bool *) out = json_is_true(value);
        return json_is_boolean(value);
}

static bool get_strings(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_array *a = out;

        if (!json_is_array(value))
                return false;
        for (size_t i = 0; i < json_array_size(value); i++)
                if (!json_is_string(json_array_get(value, i)))
                        return false;
        *a = (struct varlink_array){ value, json_array_size(value) };
        return true;
}

static bool get_ints(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_array *a = out;

        if (!json_is_array(value))
                return false;
        for (size_t i = 0; i < json_array_size(value); i++) {
                const json_t *element = json_array_get(value, i);

                if (!json_is_integer(element) || !in_range(f, json_integer_value(element)))
                        return false;
        }
        *a = (struct varlink_array){ value, json_array_size(value) };
        return true;
}

static bool get_object(const struct varlink_field *f, const json_t *value, void *out) {
        *(struct varlink_object *) out = (struct varlink_object){ value };
        return json_is_object(value);
}

static bool get_objects(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_array *a = out;

        if (!json_is_array(value))
                return false;
        for (size_t i = 0; i < json_array_size(value); i++)
                if (!json_is_object(json_array_get(value, i)))
                        return false;
        *a = (struct varlink_array){ value, json_array_size(value) };
        return true;
}

static bool get_enum(const struct varlink_field *f, const json_t *value, void *out) {
        int r = json_is_string(value) ? f->from_string(json_string_value(value)) : -EINVAL;

        if (r < 0)
                return false;
        *(int *) out = r;
        return true;
}

/* A number is passed on whatever it is: the verb itself says what signals there are. */
static bool get_signal(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_int *i = out;
        int sig;

        if (json_is_integer(value)) {
                if (json_integer_value(value) < INT32_MIN || json_integer_value(value) > INT32_MAX)
                        return false;
                *i = (struct varlink_int){ json_integer_value(value), true };
                return true;
        }
        sig = json_is_string(value) ? signal_from_string(json_string_value(value)) : -EINVAL;
        if (sig <= 0)
                return false;
        *i = (struct varlink_int){ sig, true };
        return true;
}

static bool get_id128(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_id128 *id = out;

        id->set = json_is_string(value) && id128_from_string(json_string_value(value), &id->value) >= 0;
        return id->set;
}

static bool get_process(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_process p = { .set = true };
        bool pid_seen = false;
        const char *key;
        json_t *member;

        if (!json_is_object(value))
                return false;
        json_object_foreach ((json_t *) value, key, member) {
                json_int_t number = json_integer_value(member);

                if (streq(key, "pid")) {
                        if (!json_is_integer(member) || number < 0 || number > INT32_MAX)
                                return false;
                        p.pid = (pid_t) number;
                        pid_seen = true;
                } else if (streq(key, "pidfdId")) {
                        if (!json_is_null(member) && (!json_is_integer(member) || number < 0))
                                return false;
                        p.pidfd_id = (uint64_t) number;
                } else if (streq(key, "bootId")) {
                        if (!json_is_null(member) && !get_id128(f, member, &p.boot_id))
                                return false;
                } else
                        return false;
        }
        if (!pid_seen)
                return false;
        *(struct varlink_process *) out = p;
        return true;
}

static bool get_any_int(const struct varlink_field *f, const json_t *value, void *out) {
        return json_is_integer(value);
}

static bool get_any_process(const struct varlink_field *f, const json_t *value, void *out) {
        struct varlink_process ignored;

        return get_process(f, value, &ignored);
}

static bool (*const get[_VARLINK_TYPE_MAX])(const struct varlink_field *f, const json_t *value, void *out) = {
        [VARLINK_STRING] = get_string,
        [VARLINK_INT] = get_int,
        [VARLINK_BOOL] = get_bool,
        [VARLINK_STRINGS] = get_strings,
        [VARLINK_INTS] = get_ints,
        [VARLINK_OBJECT] = get_object,
        [VARLINK_OBJECTS] = get_objects,
        [VARLINK_ENUM] = get_enum,
        [VARLINK_SIGNAL] = get_signal,
        [VARLINK_ID128] = get_id128,
        [VARLINK_PROCESS] = get_process,
        [VARLINK_ANY_INT] = get_any_int,
        [VARLINK_ANY_PROCESS] = get_any_process,
};

static const struct varlink_field *find_field(const struct varlink_field *fields, const char *name) {
        for (const struct varlink_field *f = fields; f->name; f++)
                if (streq(f->name, name))
                        return f;
        return NULL;
}

static int extract(const json_t *object, const struct varlink_field *fields, void *out, const char **ret_parameter) {
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *) object, key, value) {
                const struct varlink_field *f = find_field(fields, key);

                if (f && json_is_null(value))
                        continue;
                if (!f || !get[f->type](f, value, (char *) out + f->offset)) {
                        *ret_parameter = key;
                        return -EINVAL;
                }
        }
        for (const struct varlink_field *f = fields; f->name; f++) {
                const json_t *given = json_object_get(object, f->name);

                if (f->required && (!given || json_is_null(given))) {
                        *ret_parameter = f->name;
                        return -EINVAL;
                }
        }
        return 0;
}

int varlink_call_extract(const struct varlink_call *c, const struct varlink_field *fields, void *out,
                         const char **ret_parameter) {
        return extract(c->parameters, fields, out, ret_parameter);
}

int varlink_object_extract(const struct varlink_object *o, const struct varlink_field *fields, void *out,
                           const char **ret_parameter) {
        return extract(o->object, fields, out, ret_parameter);
}
