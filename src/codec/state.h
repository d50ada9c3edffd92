/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/state.h: a machine record <-> the text of /run/systemd/machines/NAME (registry.md section 8). */
#pragma once

#include <stddef.h>

#include "base/diag.h"
#include "base/id128.h"
#include "base/str.h"
#include "core/machine.h"

#define STATE_FILE_MAX 131072 /* bytes; a larger file is refused unread. Holds every text at its longest, quoted */

/* Appends the whole file. Stock keys first, in stock order and quoting, then our own: SUBGROUP, CGROUP, SCOPE_CREATED,
 * KILL_SIGNAL, STATE, LEADER_START, SUPERVISOR_START, BOOT_ID. -ENOMEM. */
int state_encode(const struct machine *m, const struct id128 *boot_id, struct buf *out);

/* text: size bytes, no NUL needed; hostile. name: the file's name, which NAME= must equal. *ret_boot_id is all zero when
 * the file has none (then pids without a pidfd id cannot be trusted). The record has no fds. -EBADMSG with d filled: the
 * text is no record. -ENOMEM. */
int state_decode(const char *name, const char *text, size_t size, struct machine **ret, struct id128 *ret_boot_id,
                 struct diag *d);
