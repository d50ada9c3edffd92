/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/log-stderr.h: where this program's log lines go: standard error, with a priority prefix when that is no terminal
 * and a service manager reads it ($JOURNAL_STREAM), as sd-daemon(3) has it. */
#pragma once

/* $SYSTEMD_LOG_LEVEL and $MUSTER_LOG_LEVEL choose what is shown; info otherwise. */
void log_stderr_open(void);
