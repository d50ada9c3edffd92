/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/log-send.h: lines of a machine to the logs of the host. Nothing waits: a log that does not keep up loses lines. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* text is escaped (codec/console-log.h). socket: -EBADF at first; it is made when it is needed, and the caller's to close.
 * Negative errno: the line, or a part of it, is lost. */

/* To the journal, by its own protocol, with SYSLOG_IDENTIFIER= and MUSTER_MACHINE=. */
int log_send_journal(int *socket, const char *machine, const char *text, size_t size);
/* To /dev/log, in the old form of datagrams (RFC 3164), as facility daemon; long lines in pieces. */
int log_send_syslog(int *socket, const char *machine, uint64_t usec, const char *text, size_t size);
