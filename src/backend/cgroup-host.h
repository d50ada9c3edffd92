/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/cgroup-host.h: this host's hierarchies, opened: where scopes are made, found, signalled and removed. Paths are
 * cgroups as in /proc/PID/cgroup; machines come later (supervisor-cgroup.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/diag.h"
#include "codec/cgroup-layout.h"
#include "core/ports.h"
#include "core/scope.h"

struct cgroup_host {
        struct cgroup_layout layout;
        int tracking_fd;                            /* -EBADF: none that we may write to */
        int controller_fds[_CGROUP_CONTROLLER_MAX]; /* v1; -EBADF: not mounted or not writable */
        unsigned available;                         /* bit per controller that limits can use */
        char describe[160];
};

/* Reads /proc. Never fails for want of a hierarchy. -ENOMEM. */
int cgroup_host_init(struct cgroup_host *h);
void cgroup_host_done(struct cgroup_host *h);
/* The tracking hierarchy is v2: it tells emptiness and can kill. */
static inline bool cgroup_host_tracks_v2(const struct cgroup_host *h) {
        return h->layout.mode == CGROUP_V2 || h->layout.mode == CGROUP_HYBRID;
}
static inline bool cgroup_host_has_tracking(const struct cgroup_host *h) {
        return h->tracking_fd >= 0;
}

/* The cgroup of a process in the tracking hierarchy; malloc'ed. -ENODATA: there is none. -EREMOTE: outside of what we see.
 * -ESRCH. */
int cgroup_host_locate(const struct cgroup_host *h, pid_t pid, char **ret);
/* `path` below the directory that tracking_fd is of, "." for itself; NULL: outside of the host's tree. Borrowed from path. */
const char *cgroup_host_below(const struct cgroup_hierarchy *hierarchy, const char *path);
/* Opens the directory of `path` in the tracking hierarchy. -ENOENT. */
int cgroup_host_open(const struct cgroup_host *h, const char *path);
/* May its processes be signalled as those of a machine? Not the top, and nothing that holds us. */
bool cgroup_host_may_signal(const struct cgroup_host *h, const char *path);
/* Is the machine's group its own, so that whoever owns the machine may signal all that is in it? One that was there before is its
 * owner's, or else a service or a session of the host that the leader only happens to be in. */
bool cgroup_host_is_of_machine(const struct cgroup_host *h, const struct machine *m);
/* What path and all below it have used; what is not known stays as it is. */
void cgroup_host_stats(const struct cgroup_host *h, const char *path, struct machine_stats *ret);
/* Signals everything in and below path: the count, 0 when it is empty or gone, -errno. -EFBIG: nothing was signalled, for there are too
 * many groups below it (but SIGKILL reaches all, whatever it takes). */
int cgroup_host_signal(const struct cgroup_host *h, const char *path, int sig);

struct cgroup_wanted {
        const char *path;
        const char *mark, *note; /* cgroup_mark(): the machine's name, or CGROUP_MARK_UNIT; cgroup_note(), or NULL */
        uid_t uid;               /* whom it is delegated to */
        pid_t pid;               /* who lives in it first */
};

/* Where a process is, for the supervisor port's locate(): unit NULL when its path has none. -ESRCH, -ENOMEM. */
int cgroup_host_place(const struct cgroup_host *h, pid_t pid, struct placement *ret);

/* Where the scope `unit` of a slice is; malloc'ed. -EINVAL: no slice. -ENOMEM. */
int cgroup_host_scope_path(const struct cgroup_host *h, const char *slice, const char *unit, char **ret);
/* Makes w->path (its slices as needed, marked as ours) in the tracking hierarchy and where limits need it, writes the
 * limits, hands it to uid, moves pid in. -EEXIST: something stands there already. On failure what was made is gone. */
int cgroup_host_create(struct cgroup_host *h, const struct cgroup_wanted *w, const struct scope_properties *props,
                       struct diag *d);
/* Moves one more process into a scope that was made. */
int cgroup_host_join(struct cgroup_host *h, const char *path, pid_t pid);
/* Changes the limits of a scope that was made. -EOPNOTSUPP, -EINVAL with a sentence. -EPERM: not ours. */
int cgroup_host_limit(struct cgroup_host *h, const char *path, const struct scope_properties *props, struct diag *d);
/* Checks without making: -EOPNOTSUPP or -EINVAL with a sentence. */
int cgroup_host_check(struct cgroup_host *h, const struct scope_properties *props, struct diag *d);
/* 1: ours (marked). 0: somebody else's. -ENOENT. */
int cgroup_host_is_ours(const struct cgroup_host *h, const char *path);
/* Removes path everywhere, then its slices if they are ours and empty; but machine.slice stays for the next machine.
 * -EBUSY: it holds processes. -EAGAIN: as cgroup_remove(), or it is gone where processes are followed, but not elsewhere. */
int cgroup_host_remove(struct cgroup_host *h, const char *path);
/* Removes the slice everywhere, if it is ours and empty. */
void cgroup_host_remove_slice(struct cgroup_host *h, const char *slice);
/* After a restart: removes what an earlier life was killed over while it made it, and slices that it left empty. Calls found()
 * with each marked scope directory of ours, in every hierarchy (a path may come twice), but those that is_known() (NULL: none):
 * with thousands of machines it pays not to open theirs. */
void cgroup_host_each_scope(struct cgroup_host *h, bool (*is_known)(void *userdata, const char *path),
                            void (*found)(void *userdata, const char *path), void *userdata);
