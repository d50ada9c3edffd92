/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench/leaders.h: real processes to register, as cheap as they come: they sleep, and die with the one that made them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LEADER_IDS 65536U /* user ids of each leader's own user namespace */

struct leader_wish {
        unsigned number; /* gives the user ids and the address: no two leaders share one */
        int cgroup_fd;   /* born in this control group; -EBADF: in ours */
        bool network;    /* a network namespace of its own, with one address */
};

/* The host's number of the leader's user `inner`. */
uint32_t leader_uid(unsigned number, uint32_t inner);

/* Returns when the leader is complete. The child is ours: leader_end() kills and reaps it. Negative errno. */
int leader_start(const struct leader_wish *wish, pid_t *ret);
void leader_end(pid_t pid);
