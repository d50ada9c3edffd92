/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/log-ask.h: the files of a log, from the registry. */
#pragma once

#include <stddef.h>

#include "codec/console-log.h"
#include "muster/options.h"

/* Youngest first; the caller closes them. -EACCES: it refuses. -EHOSTDOWN: there is no registry. Another negative errno. */
int log_ask_registry(const struct options *o, const char *machine, int fds[static CONSOLE_LOGS_FILES_MAX],
                     size_t *ret_n);
