/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/supervisor-cgroup.h: the supervisor port on a host without a service manager: scopes in the cgroup hierarchies
 * (v1, hybrid, v2) made, limited, killed and removed by us. */
#pragma once

#include <systemd/sd-event.h>

#include "backend/cgroup-host.h"
#include "backend/cgroup-reaper.h"
#include "backend/helper.h"
#include "core/ports.h"

struct supervisor_cgroup; /* opaque */

struct supervisor_cgroup_config {
        struct helper *helper;              /* borrowed: kills machines without a cgroup */
        const struct process_port *process; /* borrowed: signals leaders and supervisors */
        uint64_t stop_timeout_usec;         /* how long an asked machine may take to end; 0: 10 s */
};

/* Reads the host's layout (/proc/self/mountinfo, /proc/self/cgroup, /proc/1/cgroup) once. Never fails for want of a writable hierarchy: then
 * machines are tracked by their pidfds. -ENOMEM. */
int supervisor_cgroup_new(sd_event *e, const struct supervisor_cgroup_config *config, struct supervisor_cgroup **ret);
void supervisor_cgroup_free(struct supervisor_cgroup *s);
DEFINE_AUTO(struct supervisor_cgroup *, supervisor_cgroup_free)
struct supervisor_port supervisor_cgroup_port(struct supervisor_cgroup *s);
/* One sentence for the log and `muster status`: "cgroup v2 at /sys/fs/cgroup", "hybrid: ...", "no writable control group ...". */
const char *supervisor_cgroup_describe(const struct supervisor_cgroup *s);

/* For backend/scopes-cgroup.c, which makes scopes in the same hierarchies; borrowed. */
struct cgroup_host *supervisor_cgroup_host(struct supervisor_cgroup *s);
struct cgroup_reaper *supervisor_cgroup_reaper(struct supervisor_cgroup *s);
/* gone(path) is told of each scope that the reaper was given and that is not there any more. */
void supervisor_cgroup_on_gone(struct supervisor_cgroup *s, void (*gone)(void *userdata, const char *path),
                               void *userdata);
