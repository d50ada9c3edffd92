/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-transfer/work.h"

#include <stdarg.h>
#include <stdio.h>

int work_fail(struct work *w, int error, const char *format, ...) {
        va_list ap;

        if (w->outcome->error < 0)
                return error;
        w->outcome->error = error;
        va_start(ap, format);
        vsnprintf(w->outcome->text, sizeof(w->outcome->text), format, ap);
        va_end(ap);
        return error;
}
