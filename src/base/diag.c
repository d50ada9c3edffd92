/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

int diag_set(struct diag *d, int error, const char *field, const char *format, ...) {
        va_list ap;

        if (!d)
                return error;
        snprintf(d->field, sizeof(d->field), "%s", field ? field : "");
        va_start(ap, format);
        vsnprintf(d->text, sizeof(d->text), format, ap);
        va_end(ap);
        return error;
}
