/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/console-log.h: what the machine shows on its console, kept with its times: in a file, and in the logs of the
 * host. Whatever happens to them, the machine does not notice. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"

struct console_log; /* opaque */

struct console_log_wish {
        unsigned where;        /* enum console_log_target of spec/spec.h, 1 << each */
        const char *directory; /* of the file */
        uint64_t size_max;
        unsigned files;
        const char *machine, *root;
        pid_t leader;
};

/* The strings are copied. Makes no system call: files and sockets are opened when there is something to write. -ENOMEM. */
int console_log_new(const struct console_log_wish *wish, struct console_log **ret);
void console_log_free(struct console_log *l);
DEFINE_AUTO(struct console_log *, console_log_free)

/* Bytes that the machine has shown. */
void console_log_take(struct console_log *l, const char *data, size_t size);
/* A line that the machine does not end, a prompt for example, is logged when nothing has followed for a while. The first tells
 * how long that is from now, in milliseconds, -1: nothing waits; the second does it when it is time. */
int console_log_timeout(const struct console_log *l);
void console_log_idle(struct console_log *l);
/* The machine has ended in that way: a word, or a few. Also a machine that said nothing leaves a note that it ran. */
void console_log_end(struct console_log *l, const char *how);

/* The next sentence about what cannot be written, each once; NULL: none. Valid until the next call for the log. */
const char *console_log_trouble(struct console_log *l);
