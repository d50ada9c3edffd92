/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/rlimits.h: the resource limits that a payload starts with. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spec/spec.h"

struct rlimit_pair {
        uint64_t soft, hard; /* SPEC_RLIMIT_INFINITY: none */
};

struct rlimit_facts {
        uint64_t nr_open;                               /* /proc/sys/fs/nr_open; 0: not known */
        struct rlimit_pair host_nproc, host_sigpending; /* of the host's PID 1 (or our own, where that is hidden) */
        struct rlimit_pair own[SPEC_RLIMITS];           /* the caller's */
        bool may_raise; /* the caller has CAP_SYS_RESOURCE in the initial user namespace */
};

/* Fills all 16: what the spec says, else the defaults; clamped to the caller's hard limits where it may not raise
 * them. */
void rlimits_decide(const struct spec_rlimit wanted[static SPEC_RLIMITS], const struct rlimit_facts *facts,
                    struct rlimit_pair ret[static SPEC_RLIMITS]);
