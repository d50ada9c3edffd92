/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/log.h: formats one line and hands it to the sink that main() set; base itself makes no system call. */
#pragma once

#include <stdarg.h>

/* syslog(3) priorities, spelled here so that the pure half needs no <syslog.h>. */
enum log_level {
        LOG_LEVEL_EMERG,
        LOG_LEVEL_ALERT,
        LOG_LEVEL_CRIT,
        LOG_LEVEL_ERR,
        LOG_LEVEL_WARNING,
        LOG_LEVEL_NOTICE,
        LOG_LEVEL_INFO,
        LOG_LEVEL_DEBUG
};

/* Structured companions of a line; NULL where not known. Go to the journal as MACHINE= and so on. */
struct log_fields {
        const char *machine;
        int leader;
        const char *message_id; /* 32 hex digits */
};

typedef void (*log_sink_fn)(enum log_level level, const struct log_fields *fields, const char *line);

void log_set_sink(log_sink_fn sink);
void log_set_max_level(enum log_level level);
enum log_level log_get_max_level(void);

/* All return `error` (0 for log_full) so that a failing call can be logged and returned in one line. The text of
 * a non-zero error is appended as ": text". */
int log_full(enum log_level level, int error, const struct log_fields *fields, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

#define log_error(...) log_full(LOG_LEVEL_ERR, 0, NULL, __VA_ARGS__)
#define log_warning(...) log_full(LOG_LEVEL_WARNING, 0, NULL, __VA_ARGS__)
#define log_notice(...) log_full(LOG_LEVEL_NOTICE, 0, NULL, __VA_ARGS__)
#define log_info(...) log_full(LOG_LEVEL_INFO, 0, NULL, __VA_ARGS__)
#define log_debug(...) log_full(LOG_LEVEL_DEBUG, 0, NULL, __VA_ARGS__)
#define log_error_errno(error, ...) log_full(LOG_LEVEL_ERR, (error), NULL, __VA_ARGS__)
#define log_warning_errno(error, ...) log_full(LOG_LEVEL_WARNING, (error), NULL, __VA_ARGS__)
#define log_debug_errno(error, ...) log_full(LOG_LEVEL_DEBUG, (error), NULL, __VA_ARGS__)
