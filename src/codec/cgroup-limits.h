/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/cgroup-limits.h: resources as the files of a hierarchy: which controller, which file, which text. Pure. */
#pragma once

#include "base/diag.h"
#include "codec/cgroup-layout.h"
#include "core/scope.h"

#define LIMIT_WRITES_MAX 300
#define DEFAULT_TASKS_MAX 16384 /* as stock scopes have it */

struct limit_write {
        enum cgroup_controller controller;
        char file[40];
        char value[96];
        const char *property; /* D-Bus name, for messages; static */
};

struct limit_writes {
        struct limit_write *writes;
        size_t n;
};

/* device: "MAJ:MIN" of an IO limit's path; index as in props->io. */
typedef int (*device_fn)(void *userdata, const struct io_limit *limit, char *ret, size_t size);

/* v2: the tracking hierarchy is v2 and holds the controllers of the bit mask `available` (bit per enum cgroup_controller);
 * otherwise they are v1. -EOPNOTSUPP with a sentence in d: a property needs a controller that is not there.
 * -EINVAL with a sentence: the value cannot be. -ENOMEM. */
int cgroup_limits_make(const struct scope_properties *props, bool v2, unsigned available, device_fn device,
                       void *userdata, struct limit_writes *ret, struct diag *d);
void limit_writes_done(struct limit_writes *w);

/* What v2 calls the controller: "io" for what v1 has as "blkio". */
const char *cgroup_controller_v2_name(enum cgroup_controller c);
