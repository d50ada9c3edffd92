/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/payload-cgroup.h: the control group that the payload is born in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/facts.h"

#define PAYLOAD_CGROUP_HIERARCHIES 16

/* One hierarchy: its mount point, where we stand in it, and what we made there. */
struct payload_cgroup_dir {
        bool v2;
        char *mount; /* "/sys/fs/cgroup/systemd" */
        char *name;  /* "systemd", "cpu,cpuacct", "" for a v2-only host */
        char *own;   /* path of our own group, below mount */
        char *scope; /* path below mount of what we made and remove; NULL: nothing */
        int top;     /* the mount point, once something was made there */
        int fd;      /* directory of the payload's group; -EBADF: none */
        int tasks;   /* v1: its tasks file, opened for writing */
};

struct payload_cgroup {
        enum cgroup_layout_kind kind;
        struct payload_cgroup_dir dirs[PAYLOAD_CGROUP_HIERARCHIES];
        size_t n_dirs;
        int birth; /* v2 directory for CLONE_INTO_CGROUP; -EBADF: none, borrowed from dirs */
};

/* Looks at /sys/fs/cgroup and /proc/self/cgroup; makes nothing. */
int payload_cgroup_probe(struct payload_cgroup *ret);
/* Makes SLICE/UNIT/payload (keep_unit: payload below our own group) where it may. Having none at all is no failure: then the
 * payload stays where we are. owner: who may write there (0: root). */
int payload_cgroup_make(struct payload_cgroup *c, const char *slice, const char *unit, bool keep_unit, uint32_t owner);
bool payload_cgroup_made(const struct payload_cgroup *c);
/* Kills what is left in it, and removes it. */
void payload_cgroup_remove(struct payload_cgroup *c);
void payload_cgroup_done(struct payload_cgroup *c);
