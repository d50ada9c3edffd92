/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/cgroup-reaper.h: removes scopes as soon as they are empty: on v2 when the kernel says so, on v1 by looking. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/auto.h"

struct cgroup_reaper; /* opaque */

/* What the reaper needs done, by whoever knows the hierarchies. path: a cgroup as in /proc/PID/cgroup. */
struct reaper_ops {
        void *impl;
        /* Removes the directories of path in every hierarchy. 0 also when nothing is there. -EBUSY: not empty yet. -EAGAIN: call
         * again, there is more to remove than fits into one call. */
        int (*remove)(void *impl, const char *path);
        void (*kill)(void *impl, const char *path);
        /* The file to watch with inotify(7) for emptiness, into ret. -EOPNOTSUPP: there is none, look again and again. */
        int (*events_file)(void *impl, const char *path, char *ret, size_t size);
        /* May be NULL: path was given to cgroup_reaper_add() and is gone now, or (error) is left alone. */
        void (*gone)(void *impl, const char *path, int error);
};

int cgroup_reaper_new(sd_event *e, const struct reaper_ops *ops, struct cgroup_reaper **ret);
void cgroup_reaper_free(struct cgroup_reaper *r);
DEFINE_AUTO(struct cgroup_reaper *, cgroup_reaper_free)

/* Removes path now, or once it is empty; kill: helps it to become so. -ENOMEM. */
int cgroup_reaper_add(struct cgroup_reaper *r, const char *path, bool kill);
/* Is path about to go, its processes being killed? False for one that is only removed once its processes have ended. */
bool cgroup_reaper_is_killing(struct cgroup_reaper *r, const char *path);
/* Calls done(userdata, 0) when path is gone, or -ETIMEDOUT after 5 s. Only while cgroup_reaper_is_killing(). One waiter for each
 * path: -EBUSY. */
int cgroup_reaper_wait(struct cgroup_reaper *r, const char *path, void (*done)(void *userdata, int error),
                       void *userdata);
