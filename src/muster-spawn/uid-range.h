/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/uid-range.h: the user numbers of the host that a machine has while it runs (--private-users=). */
#pragma once

#include <stdint.h>

#include "base/diag.h"

struct spec;
struct facts;

struct uid_range {
        char *path; /* the lock that keeps others from picking the same; removed at the end */
        int lock, database;
};

#define UID_RANGE_EMPTY ((struct uid_range){ .lock = -9, .database = -9 })

/* Fills facts->uid_base and facts->uid_count from the spec, the owner of the tree (facts->root_uid, root_gid) and the machine's name.
 * "pick" takes what no running machine has and no user or group of the host: from /etc/passwd and /etc/group, not from directories of
 * users in a network, which are kept out of these numbers (systemd's UIDS-GIDS document). A dry run only names the first candidate.
 * -EBUSY: nothing is free; -EINTR: a signal came; others with a diag, too. */
int uid_range_take(const struct spec *spec, struct facts *facts, struct uid_range *ret, struct diag *diag);
/* The machine runs: the host's user database may change again. */
void uid_range_settled(struct uid_range *r);
void uid_range_done(struct uid_range *r);
