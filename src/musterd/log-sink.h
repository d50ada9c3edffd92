/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* musterd/log-sink.h: where log lines go, and the knobs of it that the doors offer. */
#pragma once

#include "ipc/log-control.h"

/* Sets base's sink; the target is "auto" until told otherwise: the journal when it collects our standard error, else
 * standard error. */
void log_sink_open(void);
/* "console", "journal", "syslog", "kmsg", "auto", "null". -EINVAL. */
int log_sink_set_target(const char *target);
/* "emerg" ... "debug", or 0..7. -EINVAL. */
int log_sink_set_level(const char *level);
const struct log_control *log_sink_control(void);
