/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/payload-cgroup.h: the control group that the payload is born in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/facts.h"

#define PAYLOAD_CGROUP_HIERARCHIES 16

/* Where the payload's group goes. */
enum payload_cgroup_place {
        PLACE_SCOPE, /* SLICE/UNIT/payload: we are the host's manager of control groups; PLACE_BELOW where that is not allowed */
        PLACE_BELOW, /* UNIT/payload below our own group: others may be in it, too */
        PLACE_UNIT,  /* payload below our own group, which a service manager has given to us alone */
};

struct payload_cgroup_wish {
        enum payload_cgroup_place place;
        const char *slice, *unit;
        uint32_t owner;    /* who may write in the payload's group; 0: root */
        bool unprivileged; /* we are not the host's root, and groups may be somebody else's */
        bool controllers;  /* v2: the payload gets every controller there is, as an init wants it */
        unsigned
                limited; /* bit per enum cgroup_controller that the scope is limited by: hierarchies of v1 that have it, too */
};

/* One hierarchy: its mount point, where we stand in it, and what we made there. Paths are below the mount point. */
struct payload_cgroup_dir {
        bool v2;
        char *mount;   /* "/sys/fs/cgroup/systemd" */
        char *name;    /* "systemd", "cpu,cpuacct", "" for a v2-only host */
        char *own;     /* our own group */
        char *scope;   /* what we made, and remove with all that is in it; NULL: nothing */
        size_t kept;   /* how much of its path was there before us */
        char *payload; /* the payload's group: scope, or right below it */
        bool stale;    /* it was there already, without processes: a runner before us was killed */
        int top;       /* the mount point, once something was made there */
        int fd;        /* directory of the payload's group; -EBADF: none */
        int tasks;     /* v1: its tasks file, opened for writing */
};

struct payload_cgroup {
        enum cgroup_layout_kind kind;
        struct payload_cgroup_dir dirs[PAYLOAD_CGROUP_HIERARCHIES];
        size_t n_dirs;
        int birth; /* v2 directory for CLONE_INTO_CGROUP; -EBADF: none, borrowed from dirs */
};

/* Are there groups of v1, which a process has to move itself into? c may be NULL. */
static inline bool payload_cgroup_is_joined(const struct payload_cgroup *c) {
        for (size_t i = 0; c && i < c->n_dirs; i++)
                if (c->dirs[i].tasks >= 0)
                        return true;
        return false;
}

/* Looks at /sys/fs/cgroup and /proc/self/cgroup; makes nothing. */
int payload_cgroup_probe(struct payload_cgroup *ret);
/* Is it a hierarchy of v1 with that controller? */
bool payload_cgroup_dir_has(const struct payload_cgroup_dir *d, const char *controller);
/* Makes the scope where it may. None at all is no failure: then the payload stays where we are. -EBUSY: there is one of that name,
 * with processes in it. It is empty in every sense, as some limits want it to be when they are set: now is the time. */
int payload_cgroup_make(struct payload_cgroup *c, const struct payload_cgroup_wish *wish);
/* Makes the payload's group in it, ready for the payload. */
int payload_cgroup_open(struct payload_cgroup *c, const struct payload_cgroup_wish *wish);
bool payload_cgroup_made(const struct payload_cgroup *c);
/* PLACE_UNIT, when the payload runs: moves ourselves to `supervisor` beside it, for a group of v2 with controllers holds groups or
 * processes, but not both. Best effort. */
void payload_cgroup_settle(const struct payload_cgroup *c, const struct payload_cgroup_wish *wish);
/* Removes what a runner that was killed has left by that name, with nobody in it: c is probed, of wish slice and unit count. */
void payload_cgroup_clean(const struct payload_cgroup *c, const struct payload_cgroup_wish *wish);
/* Kills what is left in it, and removes it. */
void payload_cgroup_remove(struct payload_cgroup *c);
void payload_cgroup_done(struct payload_cgroup *c);
