/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/stats.h: what a machine uses: plain numbers, each of which may not be known. */
#pragma once

#include <stdint.h>

#include "base/table.h"

/* The names are API: of org.muster.Machine1, of `muster stats`. */
enum machine_stat {
        STAT_CPU_USAGE, /* microseconds of processor time, since its control group was made */
        STAT_CPU_USER,
        STAT_CPU_SYSTEM,
        STAT_CPU_THROTTLED,
        STAT_MEMORY_CURRENT, /* bytes */
        STAT_MEMORY_PEAK,
        STAT_MEMORY_MAX, /* not known where there is no limit */
        STAT_SWAP_CURRENT,
        STAT_TASKS_CURRENT,
        STAT_TASKS_MAX,
        STAT_IO_READ_BYTES,
        STAT_IO_WRITE_BYTES,
        STAT_IO_READ_OPERATIONS,
        STAT_IO_WRITE_OPERATIONS,
        _MACHINE_STAT_MAX,
};
DECLARE_TABLE(machine_stat, enum machine_stat);

#define STAT_UNKNOWN UINT64_MAX

struct machine_stats {
        uint64_t values[_MACHINE_STAT_MAX];
};

void machine_stats_init(struct machine_stats *s); /* nothing is known */
