/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/process-title.h: what /proc/PID/{comm,cmdline,environ} show of us. System calls only: for children before
 * execve(2). */
#pragma once

#include <stddef.h>

/* Where the kernel looks for our arguments and environment (fields 48 to 51 of /proc/PID/stat); addresses in our
 * memory. */
struct process_areas {
        unsigned long arguments, arguments_end;
        unsigned long environment, environment_end;
};

/* -errno of reading /proc/self/stat. -EBADMSG: it does not tell. */
int process_areas_find(struct process_areas *ret);

/* Overwrites both areas in place, so that nothing of what they held stays readable: argv and environ of this process
 * point at the new text from now on. title: at most 15 bytes. environment: NUL-terminated strings, size bytes in all,
 * which stay where they are: where the kernel lets us (CAP_SYS_RESOURCE) they become exactly what is shown; else as
 * many whole strings as the old area can hold, and NULs behind them. */
void process_hide(const struct process_areas *a, const char *title, const char *environment, size_t size);
