/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service/fault.h: why a request failed, in terms both doors can name: ipc/ maps the kind to an error id. */
#pragma once

#include "base/table.h"

enum fault_kind {
        FAULT_NONE,
        FAULT_ERRNO, /* error holds a negative errno */
        FAULT_NO_SUCH_MACHINE,
        FAULT_NO_SUCH_IMAGE,
        FAULT_NO_MACHINE_FOR_PID,
        FAULT_MACHINE_EXISTS,
        FAULT_NO_PRIVATE_NETWORKING,
        FAULT_NO_USER_MAPPING,
        FAULT_NO_GROUP_MAPPING,
        FAULT_USER_IN_HOST_RANGE,
        FAULT_GROUP_IN_HOST_RANGE,
        FAULT_NO_OS_RELEASE,
        FAULT_NO_UID_SHIFT,
        FAULT_NOT_AVAILABLE, /* class has no such thing */
        FAULT_NOT_SUPPORTED,
        FAULT_NOT_CONTAINER,    /* the call is for containers only */
        FAULT_INVALID_ARGUMENT, /* field names the parameter (Varlink spelling) */
        FAULT_ACCESS_DENIED,    /* text names the action */
        FAULT_INTERACTIVE_AUTH,
        FAULT_LIMIT, /* too many of something */
        FAULT_TOO_MANY_OPERATIONS,
        FAULT_NO_SUCH_PROCESS, /* the leader does not exist; field names the parameter */
        FAULT_NO_SUCH_UNIT,    /* the scope manager knows no such scope */
        FAULT_NO_UNIT_FOR_PID,
        FAULT_UNIT_EXISTS,
        FAULT_UNIT_NOT_RUNNING, /* it cannot be abandoned any more */
        FAULT_NOT_REFERENCED,   /* the scope was not started with AddRef, or was given back */
        FAULT_SCOPE_REFUSED,    /* the service manager made no scope: error, and peer_error if it gave a name */
        _FAULT_MAX,
};

struct fault {
        enum fault_kind kind;
        int error;           /* negative errno for FAULT_ERRNO and FAULT_SCOPE_REFUSED, else 0 */
        const char *field;   /* static string; FAULT_INVALID_ARGUMENT and FAULT_NO_SUCH_PROCESS only */
        char text[200];      /* one clear sentence */
        char peer_error[96]; /* FAULT_SCOPE_REFUSED: the name that another service gave the error; "": none */
};

#define FAULT_OK ((struct fault){ .kind = FAULT_NONE })

/* Fills *f; returns -1 so that `return fault_set(...)` reads well (0 never). */
int fault_set(struct fault *f, enum fault_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
int fault_set_errno(struct fault *f, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
int fault_set_argument(struct fault *f, const char *field, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
