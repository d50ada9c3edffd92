/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-hook/fail.h"

#include <stdarg.h>
#include <stdio.h>

int fail(const char *format, ...) {
        va_list arguments;

        fputs("muster-hook: ", stderr);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        return -1;
}
