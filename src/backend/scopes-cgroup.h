/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/scopes-cgroup.h: the scope port: scopes without a machine, in the hierarchies of supervisor-cgroup.c. What has to be
 * known of them after a restart is noted on their directories. */
#pragma once

#include <systemd/sd-event.h>

#include "backend/supervisor-cgroup.h"

struct scopes_cgroup; /* opaque */

struct scopes_cgroup_config {
        struct supervisor_cgroup *supervisor; /* borrowed */
        const struct process_port *process;   /* borrowed */
        void (*emptied)(void *userdata, const char *cgroup);
        void (*late)(void *userdata, struct unit *u);
        void *userdata;
};

int scopes_cgroup_new(sd_event *e, const struct scopes_cgroup_config *config, struct scopes_cgroup **ret);
void scopes_cgroup_free(struct scopes_cgroup *s);
DEFINE_AUTO(struct scopes_cgroup *, scopes_cgroup_free)
struct scope_port scopes_cgroup_port(struct scopes_cgroup *s);
