/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client/console-logs.h: where the logs of the machines' consoles are. */
#pragma once

#include <stdbool.h>

#include "codec/console-log.h"

#define CONSOLE_LOGS_ENVIRONMENT "MUSTER_LOG_DIRECTORY"

/* $MUSTER_LOG_DIRECTORY; else that of the system, or (own) that of the calling user, below $XDG_STATE_HOME or ~/.local/state.
 * *ret is malloc'ed. -EINVAL: the variable is no absolute path. -ENOENT: the user has no home. -ENOMEM. */
int console_logs_directory(bool own, char **ret);
