/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/ports.h"

#include <stdlib.h>

static const char *const kill_whom_table[_KILL_WHOM_MAX] = {
        [KILL_LEADER] = "leader",
        [KILL_SUPERVISOR] = "supervisor",
        [KILL_ALL] = "all",
};
DEFINE_TABLE(kill_whom, enum kill_whom)

void placement_done(struct placement *p) {
        free(p->unit);
        free(p->subgroup);
        free(p->cgroup);
        *p = (struct placement){ NULL, NULL, NULL };
}
