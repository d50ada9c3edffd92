/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/log-stderr.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

static const char *const level_names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

static void to_stderr(enum log_level level, const struct log_fields *fields, const char *line) {
        char text[1400];
        int n = getenv("JOURNAL_STREAM") ? snprintf(text, sizeof(text), "<%d>%s\n", level, line)
                                         : snprintf(text, sizeof(text), "%s\n", line);

        if (n > 0 && write(STDERR_FILENO, text, (size_t) n < sizeof(text) ? (size_t) n : sizeof(text) - 1) < 0)
                return; /* nobody is left to be told */
}

static void set_level(const char *name) {
        for (size_t i = 0; name && i < sizeof(level_names) / sizeof(level_names[0]); i++)
                if (streq(name, level_names[i]) || (name[0] == (char) ('0' + i) && !name[1]))
                        log_set_max_level((enum log_level) i);
}

void log_stderr_open(void) {
        log_set_sink(to_stderr);
        log_set_max_level(LOG_LEVEL_INFO);
        set_level(getenv("SYSTEMD_LOG_LEVEL"));
        set_level(getenv("MUSTER_LOG_LEVEL"));
}
