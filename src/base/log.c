/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

/* The only mutable globals of the pure half. */
static log_sink_fn sink;
static enum log_level max_level = LOG_LEVEL_INFO;

void log_set_sink(log_sink_fn fn) {
        sink = fn;
}

void log_set_max_level(enum log_level level) {
        max_level = level;
}

enum log_level log_get_max_level(void) {
        return max_level;
}

int log_full(enum log_level level, int error, const struct log_fields *fields, const char *format, ...) {
        static const struct log_fields none;
        char line[LINE_MAX_BYTES];
        int n, before = errno; /* whoever logs may look at it afterwards */
        va_list ap;

        if (!sink || level > max_level)
                return error;
        va_start(ap, format);
        n = vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        if (n >= 0 && (size_t) n < sizeof(line) && error != 0) {
                errno = error < 0 ? -error : error; /* for %m: there are two functions called strerror_r() */
                snprintf(line + n, sizeof(line) - (size_t) n, ": %m.");
        }
        sink(level, fields ? fields : &none, line);
        errno = before;
        return error;
}
