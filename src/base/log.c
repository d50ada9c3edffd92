/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdio.h>
#include <string.h>

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
        char line[LINE_MAX_BYTES], reason[128];
        va_list ap;
        int n;

        if (!sink || level > max_level)
                return error;
        va_start(ap, format);
        n = vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        if (n >= 0 && (size_t) n < sizeof(line) && error != 0)
                snprintf(line + n, sizeof(line) - (size_t) n, ": %s.",
                         strerror_r(error < 0 ? -error : error, reason, sizeof(reason)));
        sink(level, fields ? fields : &none, line);
        return error;
}
