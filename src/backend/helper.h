/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/helper.h: a small pool of exec'd muster-helper processes: whatever has to look into a machine is done by them. */
#pragma once

#include <systemd/sd-event.h>

#include "core/ports.h"

struct helper; /* opaque: the pool */

/* path: the program. Nothing is started before the first question; at most 4 processes, each answering in turn, with up to
 * 64 questions on their way; one that does not answer within 5 s is killed and its questions get -ETIMEDOUT. -ENOMEM. */
int helper_new(sd_event *e, const char *path, struct helper **ret);
void helper_free(struct helper *h);
DEFINE_AUTO(struct helper *, helper_free)

/* The inspect port over h. */
struct inspect_port helper_inspect_port(struct helper *h);

/* Signals every process of the pid namespace whose init is m->leader, or, when the leader shares our pid namespace, the
 * leader and its descendants; of a user's machine those that are his. For machines without a cgroup. done() gets 0, -ESRCH or -errno. */
void helper_kill_tree(struct helper *h, const struct machine *m, int sig, port_done_fn done, void *userdata);
