/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/console-log-files.h: the logs that muster-spawn writes as root, for whoever may not open them. */
#pragma once

#include "core/ports.h"

/* directory: borrowed as long as the port is used. */
struct console_log_port console_log_files_port(const char *directory);
