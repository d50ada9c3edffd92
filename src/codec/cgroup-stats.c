/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Three shapes: one number; lines "KEY NUMBER"; lines by device, "8:0 rbytes=5 wbytes=7" (v2) or "8:0 Read 5" (v1), added up. */
#include "codec/cgroup-stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define NSEC 1000
#define V1_UNLIMITED (UINT64_C(1) << 62) /* v1 has a very large number for "no limit" */

static const struct cgroup_stat_source v2_sources[] = {
        { CGROUP_CPU, "cpu.stat", "usage_usec", STAT_CPU_USAGE, 1, false },
        { CGROUP_CPU, "cpu.stat", "user_usec", STAT_CPU_USER, 1, false },
        { CGROUP_CPU, "cpu.stat", "system_usec", STAT_CPU_SYSTEM, 1, false },
        { CGROUP_CPU, "cpu.stat", "throttled_usec", STAT_CPU_THROTTLED, 1, false },
        { CGROUP_MEMORY, "memory.current", NULL, STAT_MEMORY_CURRENT, 1, false },
        { CGROUP_MEMORY, "memory.peak", NULL, STAT_MEMORY_PEAK, 1, false },
        { CGROUP_MEMORY, "memory.max", NULL, STAT_MEMORY_MAX, 1, false },
        { CGROUP_MEMORY, "memory.swap.current", NULL, STAT_SWAP_CURRENT, 1, false },
        { CGROUP_PIDS, "pids.current", NULL, STAT_TASKS_CURRENT, 1, false },
        { CGROUP_PIDS, "pids.max", NULL, STAT_TASKS_MAX, 1, false },
        { CGROUP_BLKIO, "io.stat", "rbytes", STAT_IO_READ_BYTES, 1, true },
        { CGROUP_BLKIO, "io.stat", "wbytes", STAT_IO_WRITE_BYTES, 1, true },
        { CGROUP_BLKIO, "io.stat", "rios", STAT_IO_READ_OPERATIONS, 1, true },
        { CGROUP_BLKIO, "io.stat", "wios", STAT_IO_WRITE_OPERATIONS, 1, true },
        { _CGROUP_CONTROLLER_MAX, NULL, NULL, _MACHINE_STAT_MAX, 1, false },
};

static const struct cgroup_stat_source v1_sources[] = {
        { CGROUP_CPUACCT, "cpuacct.usage", NULL, STAT_CPU_USAGE, NSEC, false },
        { CGROUP_CPUACCT, "cpuacct.usage_user", NULL, STAT_CPU_USER, NSEC, false },
        { CGROUP_CPUACCT, "cpuacct.usage_sys", NULL, STAT_CPU_SYSTEM, NSEC, false },
        { CGROUP_CPU, "cpu.stat", "throttled_time", STAT_CPU_THROTTLED, NSEC, false },
        { CGROUP_MEMORY, "memory.usage_in_bytes", NULL, STAT_MEMORY_CURRENT, 1, false },
        { CGROUP_MEMORY, "memory.max_usage_in_bytes", NULL, STAT_MEMORY_PEAK, 1, false },
        { CGROUP_MEMORY, "memory.limit_in_bytes", NULL, STAT_MEMORY_MAX, 1, false },
        { CGROUP_PIDS, "pids.current", NULL, STAT_TASKS_CURRENT, 1, false },
        { CGROUP_PIDS, "pids.max", NULL, STAT_TASKS_MAX, 1, false },
        { CGROUP_BLKIO, "blkio.throttle.io_service_bytes", "Read", STAT_IO_READ_BYTES, 1, true },
        { CGROUP_BLKIO, "blkio.throttle.io_service_bytes", "Write", STAT_IO_WRITE_BYTES, 1, true },
        { CGROUP_BLKIO, "blkio.throttle.io_serviced", "Read", STAT_IO_READ_OPERATIONS, 1, true },
        { CGROUP_BLKIO, "blkio.throttle.io_serviced", "Write", STAT_IO_WRITE_OPERATIONS, 1, true },
        { _CGROUP_CONTROLLER_MAX, NULL, NULL, _MACHINE_STAT_MAX, 1, false },
};

const struct cgroup_stat_source *cgroup_stat_sources(bool v2) {
        return v2 ? v2_sources : v1_sources;
}

/* The number at s, which a blank or the end of the line ends. */
static int take_number(const char *s, uint64_t *ret) {
        uint64_t v = 0;

        if (*s < '0' || *s > '9')
                return -ENODATA;
        for (; *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -ENODATA;
        if (*s && *s != ' ' && *s != '\n')
                return -ENODATA;
        *ret = v;
        return 0;
}

/* The next word of the text that is `key`, with ' ' or '=' behind it: what follows. NULL: there is none (any more). */
static const char *find_key(const char *text, const char *key, bool first_in_line) {
        size_t n = strlen(key);

        for (const char *s = text; *s; s += strcspn(s, first_in_line ? "\n" : " \n"), s += *s != '\0')
                if (strncmp(s, key, n) == 0 && (s[n] == ' ' || s[n] == '='))
                        return s + n + 1;
        return NULL;
}

int cgroup_stat_decode(const struct cgroup_stat_source *source, const char *text, uint64_t *ret) {
        uint64_t sum = 0, number;
        const char *s;

        if (!source->key) {
                if (take_number(text, &number) < 0 || (source->stat == STAT_MEMORY_MAX && number >= V1_UNLIMITED))
                        return -ENODATA;
                sum = number;
        } else if (!source->by_device) {
                s = find_key(text, source->key, true);
                if (!s || take_number(s, &sum) < 0)
                        return -ENODATA;
        } else
                for (s = find_key(text, source->key, false); s; s = find_key(s, source->key, false))
                        if (take_number(s, &number) < 0 || __builtin_add_overflow(sum, number, &sum))
                                return -ENODATA;
        *ret = sum / source->divisor;
        return 0;
}
