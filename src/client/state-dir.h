/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client/state-dir.h: the machines on record in run_dir/systemd/machines, for when no daemon can be asked. */
#pragma once

#include <stddef.h>

#include "codec/machine-view.h"

#define STATE_DIR_MACHINES_MAX 65536

/* All machines whose leader lives, sorted by name. Broken records are left out. An absent directory is an empty list.
 * *ret is malloc'ed; free each with machine_view_done(). -EACCES, -ENOMEM. */
int state_dir_list(const char *run_dir, struct machine_view **ret, size_t *ret_n);

/* One machine. -ENOENT: no record, or its leader is dead. -EBADMSG: the record is broken. -EINVAL: no machine name. */
int state_dir_get(const char *run_dir, const char *name, struct machine_view *ret);

/* Adds to a view from the daemon what the Varlink reply leaves out: state and network interfaces.
 * Best effort; of no other leader, where the view has one. */
void state_dir_complete(const char *run_dir, struct machine_view *view);
