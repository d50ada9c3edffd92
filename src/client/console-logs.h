/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client/console-logs.h: where the logs of the machines' consoles are, and what their files are called. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/name.h"

#define CONSOLE_LOGS_ENVIRONMENT "MUSTER_LOG_DIRECTORY"
#define CONSOLE_LOGS_FILES_MAX 16 /* of one machine: the present one and older ones */

/* NAME.log.15 and a NUL */
#define CONSOLE_LOG_NAME_SIZE (MACHINE_NAME_MAX + 8)

/* $MUSTER_LOG_DIRECTORY; else that of the system, or (own) that of the calling user, below $XDG_STATE_HOME or ~/.local/state.
 * *ret is malloc'ed. -EINVAL: the variable is no absolute path. -ENOENT: the user has no home. -ENOMEM. */
int console_logs_directory(bool own, char **ret);

/* The file of that age: 0 is written to, 1 was so before it, and so on. name is a machine's; age < CONSOLE_LOGS_FILES_MAX. */
void console_log_file_name(const char *name, unsigned age, char ret[static CONSOLE_LOG_NAME_SIZE]);
/* The machine whose youngest file is called that; false: it is no such file. */
bool console_log_machine_name(const char *file, char ret[static MACHINE_NAME_MAX + 1]);
