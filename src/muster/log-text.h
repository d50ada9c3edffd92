/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/log-text.h: records of a console log as they are shown. */
#pragma once

#include "codec/console-log.h"
#include "muster/options.h"

/* Appends one record as `o` wants it: for people with local time, as JSON, or (--raw) as the bytes that it was. Out of memory:
 * buf_error(). */
void log_text_record(const struct options *o, const char *machine, const struct console_record *record,
                     struct buf *out);
