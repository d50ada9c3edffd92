/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/varlink-call.h: one message -> a method call with typed parameters, by tables (varlink.org, registry.md 13). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/id128.h"

#define VARLINK_DEPTH_MAX 32     /* nested objects and arrays */
#define VARLINK_VALUES_MAX 65536 /* in one message */

struct json_t; /* the JSON library stays inside codec/ */

struct varlink_call {
        const char *method; /* borrowed from root, "INTERFACE.METHOD" */
        bool more, oneway, upgrade;
        struct json_t *root;       /* owned */
        struct json_t *parameters; /* an object inside root, or NULL */
};

#define VARLINK_CALL_EMPTY \
        { NULL, false, false, false, NULL, NULL }

/* text need not end with a NUL. -EMSGSIZE: too large. -EBADMSG: no JSON, too deep, too many values, an unknown member, a
 * member of the wrong type, no method. -ENOMEM. */
int varlink_call_parse(const char *text, size_t size, struct varlink_call *ret);
void varlink_call_done(struct varlink_call *c);

/* ---- parameters ---- */

struct varlink_int {
        int64_t value;
        bool set;
};

/* Elements were checked; borrowed from the call. */
struct varlink_array {
        const struct json_t *array; /* NULL: not given */
        size_t n;
};

const char *varlink_array_string(const struct varlink_array *a, size_t i);
int64_t varlink_array_int(const struct varlink_array *a, size_t i);

struct varlink_object {
        const struct json_t *object; /* NULL: not given */
};

struct varlink_id128 {
        struct id128 value;
        bool set;
};

/* {"pid":N,"pidfdId":N,"bootId":"32 hex digits"} */
struct varlink_process {
        bool set;
        pid_t pid;         /* 0: the peer */
        uint64_t pidfd_id; /* 0: not given */
        struct varlink_id128 boot_id;
};

enum varlink_type {
        VARLINK_STRING,  /* const char *, borrowed from the call */
        VARLINK_INT,     /* struct varlink_int, min..max */
        VARLINK_BOOL,    /* bool */
        VARLINK_STRINGS, /* struct varlink_array */
        VARLINK_INTS,    /* struct varlink_array, each min..max */
        VARLINK_OBJECT,  /* struct varlink_object, for varlink_object_extract() */
        VARLINK_OBJECTS, /* struct varlink_array */
        VARLINK_ENUM,    /* int, by from_string; untouched when absent */
        VARLINK_SIGNAL,  /* struct varlink_int; a number, or a name such as "SIGTERM" or "TERM" */
        VARLINK_ID128,   /* struct varlink_id128 */
        VARLINK_PROCESS, /* struct varlink_process */
        VARLINK_ANY_INT, /* checked, then ignored: nothing is stored */
        VARLINK_ANY_PROCESS,
        _VARLINK_TYPE_MAX,
};

struct varlink_field {
        const char *name; /* NULL ends a table */
        enum varlink_type type;
        size_t offset;
        bool required;
        int64_t min, max;                  /* INT and INTS; both 0: any */
        int (*from_string)(const char *s); /* ENUM: value, or negative */
};

/* Fills the struct at `out` (zeroed by the caller, but for defaults of its own) from c's parameters. null counts as absent.
 * -EINVAL: *ret_parameter names the parameter that is unknown, missing or of the wrong type (valid as long as c). */
int varlink_call_extract(const struct varlink_call *c, const struct varlink_field *fields, void *out,
                         const char **ret_parameter);
/* The same for an object among the parameters. */
int varlink_object_extract(const struct varlink_object *o, const struct varlink_field *fields, void *out,
                           const char **ret_parameter);
struct varlink_object varlink_array_object(const struct varlink_array *a, size_t i);
