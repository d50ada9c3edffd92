/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-enter/leader.h: all that has to be known and held of a machine's leader before its namespaces are joined: afterwards
 * /proc is the machine's, and may say anything. */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/diag.h"
#include "codec/proc-text.h"

#define LEADER_HIERARCHIES 12
#define LEADER_NAMESPACES 8

struct leader_cgroup {
        int fd;  /* its directory */
        bool v2; /* else v1: a thread moves itself by way of "tasks" */
};

struct leader {
        int pidfd; /* borrowed */
        pid_t pid;
        int proc; /* its directory in the host's /proc: names this process, whatever becomes of the number */
        int root;
        int namespaces;                       /* CLONE_NEW...: those that are not ours */
        int namespace_fds[LEADER_NAMESPACES]; /* the same, one by one, for kernels that want that; -EBADF: ours, too */
        struct leader_cgroup cgroups[LEADER_HIERARCHIES]; /* those that are not ours */
        size_t n_cgroups;
        struct proc_confinement confinement;
        char *label;           /* of the security module, for the next exec; NULL: as ours, or there is none */
        bool label_is_profile; /* AppArmor's, which has files of its own */
        char *oom_score;       /* NULL: as ours */
        struct rlimit limits[RLIM_NLIMITS];
        uint32_t has_limits; /* bit n: limits[n] is known */
};

#define LEADER_EMPTY \
        { .proc = -EBADF, .root = -EBADF }

/* -errno, with a sentence in d. */
int leader_open(int pidfd, struct leader *ret, struct diag *d);
void leader_done(struct leader *l);
/* It has ended, or is about to. */
bool leader_is_ending(const struct leader *l);

/* From here on by the process that joins; d names the step that failed. */
int leader_join_cgroups(const struct leader *l, struct diag *d); /* but for cgroup2, where it was born */
int leader_take_traits(const struct leader *l, struct diag *d);
int leader_join_namespaces(const struct leader *l, struct diag *d);
