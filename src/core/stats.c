/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/stats.h"

static const char *const machine_stat_table[_MACHINE_STAT_MAX] = {
        [STAT_CPU_USAGE] = "cpuUsageUSec",
        [STAT_CPU_USER] = "cpuUserUSec",
        [STAT_CPU_SYSTEM] = "cpuSystemUSec",
        [STAT_CPU_THROTTLED] = "cpuThrottledUSec",
        [STAT_MEMORY_CURRENT] = "memoryCurrent",
        [STAT_MEMORY_PEAK] = "memoryPeak",
        [STAT_MEMORY_MAX] = "memoryMax",
        [STAT_SWAP_CURRENT] = "swapCurrent",
        [STAT_TASKS_CURRENT] = "tasksCurrent",
        [STAT_TASKS_MAX] = "tasksMax",
        [STAT_IO_READ_BYTES] = "ioReadBytes",
        [STAT_IO_WRITE_BYTES] = "ioWriteBytes",
        [STAT_IO_READ_OPERATIONS] = "ioReadOperations",
        [STAT_IO_WRITE_OPERATIONS] = "ioWriteOperations",
};
DEFINE_TABLE(machine_stat, enum machine_stat)

void machine_stats_init(struct machine_stats *s) {
        for (int i = 0; i < _MACHINE_STAT_MAX; i++)
                s->values[i] = STAT_UNKNOWN;
}
