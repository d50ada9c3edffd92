/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filling a fault: the sentence is written where the reason is known, the error name where the door is. */
#include "service/fault.h"

#include <stdarg.h>
#include <stdio.h>

static void fault_fill(struct fault *f, enum fault_kind kind, int error, const char *field) {
        f->kind = kind;
        f->error = error;
        f->field = field;
        f->peer_error[0] = '\0';
}

int fault_set(struct fault *f, enum fault_kind kind, const char *format, ...) {
        va_list ap;

        fault_fill(f, kind, 0, NULL);
        va_start(ap, format);
        vsnprintf(f->text, sizeof(f->text), format, ap);
        va_end(ap);
        return -1;
}

int fault_set_errno(struct fault *f, int error, const char *format, ...) {
        va_list ap;

        fault_fill(f, FAULT_ERRNO, error < 0 ? error : -error, NULL);
        va_start(ap, format);
        vsnprintf(f->text, sizeof(f->text), format, ap);
        va_end(ap);
        return -1;
}

int fault_set_argument(struct fault *f, const char *field, const char *format, ...) {
        va_list ap;

        fault_fill(f, FAULT_INVALID_ARGUMENT, 0, field);
        va_start(ap, format);
        vsnprintf(f->text, sizeof(f->text), format, ap);
        va_end(ap);
        return -1;
}
