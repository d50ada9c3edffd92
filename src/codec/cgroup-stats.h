/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/cgroup-stats.h: the files in which control groups tell what they use (cgroups(7), Linux' cgroup-v2.rst): which there are, and
 * what is in them. Pure. */
#pragma once

#include <stdbool.h>

#include "codec/cgroup-layout.h"
#include "core/stats.h"

struct cgroup_stat_source {
        enum cgroup_controller controller; /* whose hierarchy, in v1 */
        const char *file;                  /* sources of one file stand together */
        const char *key; /* first word of a line, or of each device's numbers; NULL: the file is one number */
        enum machine_stat stat;
        unsigned divisor;
        bool by_device;
};

/* v2: in the one hierarchy. End with a NULL file. */
const struct cgroup_stat_source *cgroup_stat_sources(bool v2);

/* Takes the number out of the file's text. -ENODATA: it is not there, or says that there is no limit. */
int cgroup_stat_decode(const struct cgroup_stat_source *source, const char *text, uint64_t *ret);
