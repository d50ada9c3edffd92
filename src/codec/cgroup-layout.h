/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/cgroup-layout.h: which control group hierarchy is mounted where, out of the texts of /proc (cgroups(7), proc(5)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"

/* How libsystemd reads the host, which decides where machines are tracked: cgroup2 at /sys/fs/cgroup; cgroup2 at
 * /sys/fs/cgroup/unified (or /sys/fs/cgroup/systemd) beside v1 controllers; v1 name=systemd alone; nothing of these. */
enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2, _CGROUP_MODE_MAX };
DECLARE_TABLE(cgroup_mode, enum cgroup_mode); /* "none" "v1" "hybrid" "v2" */

enum cgroup_controller {
        CGROUP_MEMORY,
        CGROUP_PIDS,
        CGROUP_CPU,
        CGROUP_CPUACCT,
        CGROUP_CPUSET,
        CGROUP_FREEZER,
        CGROUP_BLKIO, /* called io in v2 */
        CGROUP_DEVICES,
        CGROUP_SYSTEMD, /* not a controller, but v1's name=systemd beside v2: stock programs keep the two alike */
        _CGROUP_CONTROLLER_MAX,
};
DECLARE_TABLE(cgroup_controller, enum cgroup_controller); /* the names of v1 */

struct cgroup_hierarchy {
        char *mount; /* mount point; NULL: not mounted, or what is mounted is not the part where PID 1 lives */
        char *prefix; /* the cgroup of PID 1 without "/init.scope", as in /proc/PID/cgroup; "" for the root. Never NULL in
                       * the tracking hierarchy, else with mount only */
        char *below; /* the same cgroup as a path below mount, no outer slashes; set together with mount */
        bool read_only;
};

struct cgroup_layout {
        enum cgroup_mode mode;
        struct cgroup_hierarchy tracking; /* of V1: name=systemd, else the v2 one; all NULL in mode NONE */
        /* v1 hierarchies by controller; co-mounted controllers have equal mount points. CGROUP_SYSTEMD of HYBRID only. */
        struct cgroup_hierarchy v1[_CGROUP_CONTROLLER_MAX];
};

/* mountinfo: of /proc/self; pid1: /proc/1/cgroup, may be empty when it cannot be read. Both are bounded by size, hostile
 * lines are skipped; only mounts at /sys/fs/cgroup and below count. -ENOMEM; -E2BIG: over 512 mounts there. */
int cgroup_layout_decode(const char *mountinfo, size_t mountinfo_size, const char *pid1, size_t pid1_size,
                         struct cgroup_layout *ret);
void cgroup_layout_done(struct cgroup_layout *l);
