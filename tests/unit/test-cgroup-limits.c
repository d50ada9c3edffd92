/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope properties -> the files of cgroup v1 and v2, one line for each write: "controller file=value". */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/cgroup-limits.h"

#define ALL ((1U << _CGROUP_CONTROLLER_MAX) - 1)
#define MAX RESOURCE_UNLIMITED
#define WITHOUT(controller) (ALL & ~(1U << (controller)))

static int fake_device(void *userdata, const struct io_limit *limit, char *ret, size_t size) {
        if (strcmp(limit->path, "/dev/sda") != 0)
                return -ENODEV;
        snprintf(ret, size, "8:0");
        return 0;
}

/* "controller file=value; ..." or "-NUMBER sentence". */
static void make(const struct scope_properties *p, bool v2, unsigned available, char *out, size_t size) {
        struct limit_writes w = { NULL, 0 };
        struct diag d = { .line = 0 };
        size_t n = 0;
        int r;

        r = cgroup_limits_make(p, v2, available, fake_device, NULL, &w, &d);
        out[0] = '\0';
        if (r < 0) {
                snprintf(out, size, "%s: %s",
                         r == -EOPNOTSUPP ? "unsupported"
                         : r == -EINVAL   ? "invalid"
                                          : "failed",
                         d.text);
                return;
        }
        for (size_t i = 0; i < w.n; i++)
                n += (size_t) snprintf(out + n, size - n, "%s%s %s=%s", i ? "; " : "",
                                       cgroup_controller_to_string(w.writes[i].controller), w.writes[i].file,
                                       w.writes[i].value);
        limit_writes_done(&w);
}

static void expect(const struct scope_properties *p, bool v2, unsigned available, const char *expected, size_t row) {
        char got[512];

        make(p, v2, available, got, sizeof(got));
        if (strcmp(got, expected) != 0)
                fail_msg("row %zu, %s: '%s' instead of '%s'", row, v2 ? "v2" : "v1", got, expected);
}

static void test_one_resource(void **state) {
        static const struct {
                enum resource resource;
                uint64_t value;
                const char *v2, *v1;
        } cases[] = {
                { RESOURCE_MEMORY_MAX, 1048576, "memory memory.max=1048576", "memory memory.limit_in_bytes=1048576" },
                { RESOURCE_MEMORY_MAX, MAX, "memory memory.max=max", "memory memory.limit_in_bytes=-1" },
                { RESOURCE_MEMORY_MAX, 0, "memory memory.max=0", "memory memory.limit_in_bytes=0" },
                { RESOURCE_MEMORY_HIGH, 4096, "memory memory.high=4096",
                  "unsupported: MemoryHigh cannot be enforced with cgroup v1." },
                { RESOURCE_MEMORY_MIN, 4096, "memory memory.min=4096",
                  "unsupported: MemoryMin cannot be enforced with cgroup v1." },
                { RESOURCE_MEMORY_MIN, 0, "memory memory.min=0", "" },
                { RESOURCE_MEMORY_LOW, 4096, "memory memory.low=4096", "memory memory.soft_limit_in_bytes=4096" },
                { RESOURCE_MEMORY_SWAP_MAX, 4096, "memory memory.swap.max=4096",
                  "unsupported: MemorySwapMax needs MemoryMax with it: cgroup v1 limits the two together." },
                { RESOURCE_MEMORY_SWAP_MAX, MAX, "memory memory.swap.max=max", "" },
                { RESOURCE_TASKS_MAX, 100, "pids pids.max=100", "pids pids.max=100" },
                { RESOURCE_TASKS_MAX, MAX, "pids pids.max=max", "pids pids.max=max" },
                { RESOURCE_CPU_WEIGHT, 100, "cpu cpu.weight=100", "cpu cpu.shares=1024" },
                { RESOURCE_CPU_WEIGHT, 10000, "cpu cpu.weight=10000", "cpu cpu.shares=102400" },
                { RESOURCE_CPU_WEIGHT, 1, "cpu cpu.weight=1", "cpu cpu.shares=10" },
                { RESOURCE_CPU_QUOTA, 500000, "cpu cpu.max=50000 100000",
                  "cpu cpu.cfs_period_us=100000; cpu cpu.cfs_quota_us=50000" },
                { RESOURCE_CPU_QUOTA, 4000000, "cpu cpu.max=400000 100000",
                  "cpu cpu.cfs_period_us=100000; cpu cpu.cfs_quota_us=400000" },
                { RESOURCE_CPU_PERIOD, 50000, "", "" }, /* means nothing without a quota */
                { RESOURCE_CPU_WEIGHT, MAX, "", "" },
                { RESOURCE_CPU_WEIGHT, 0, "invalid: CPUWeight is a number from 1 to 10000.",
                  "invalid: CPUWeight is a number from 1 to 10000." },
                { RESOURCE_IO_WEIGHT, 10001, "invalid: IOWeight is a number from 1 to 10000.",
                  "invalid: IOWeight is a number from 1 to 10000." },
                { RESOURCE_IO_WEIGHT, 100, "blkio io.weight=default 100", "blkio blkio.weight=500" },
                { RESOURCE_IO_WEIGHT, 10000, "blkio io.weight=default 10000", "blkio blkio.weight=1000" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct scope_properties p = { .resources_set = 0 };

                scope_set(&p, cases[i].resource, cases[i].value);
                expect(&p, true, ALL, cases[i].v2, i);
                expect(&p, false, ALL, cases[i].v1, i);
        }
}

static void test_together(void **state) {
        struct scope_properties p = { .resources_set = 0 };

        expect(&p, true, 0, "", 0);
        scope_set(&p, RESOURCE_MEMORY_MAX, 8192);
        scope_set(&p, RESOURCE_MEMORY_SWAP_MAX, 4096);
        expect(&p, true, ALL, "memory memory.max=8192; memory memory.swap.max=4096", 1);
        /* The sum, and written after the memory limit, which it must not undercut. */
        expect(&p, false, ALL, "memory memory.limit_in_bytes=8192; memory memory.memsw.limit_in_bytes=12288", 1);
        p = (struct scope_properties){ .resources_set = 0 };
        scope_set(&p, RESOURCE_CPU_QUOTA, 250000);
        scope_set(&p, RESOURCE_CPU_PERIOD, 20000);
        expect(&p, true, ALL, "cpu cpu.max=5000 20000", 2);
        expect(&p, false, ALL, "cpu cpu.cfs_period_us=20000; cpu cpu.cfs_quota_us=5000", 2);
}

static void test_missing(void **state) {
        static const struct {
                enum resource resource;
                enum cgroup_controller controller;
                const char *v2, *v1; /* how the sentence begins; every sentence names the controller */
        } cases[] = {
                { RESOURCE_MEMORY_MAX, CGROUP_MEMORY, "memory", "memory" },
                { RESOURCE_TASKS_MAX, CGROUP_PIDS, "pids", "pids" },
                { RESOURCE_CPU_WEIGHT, CGROUP_CPU, "cpu", "cpu" },
                { RESOURCE_CPU_QUOTA, CGROUP_CPU, "cpu", "cpu" },
                { RESOURCE_IO_WEIGHT, CGROUP_BLKIO, "io", "blkio" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct scope_properties p = { .resources_set = 0 };

                scope_set(&p, cases[i].resource, 5000);
                for (int v2 = 0; v2 < 2; v2++) {
                        char got[512], expected[256];

                        snprintf(expected, sizeof(expected),
                                 "unsupported: %s cannot be enforced: this host has no %s controller for machines.",
                                 resource_to_string(cases[i].resource), v2 ? cases[i].v2 : cases[i].v1);
                        make(&p, v2, WITHOUT(cases[i].controller), got, sizeof(got));
                        assert_string_equal(got, expected);
                }
        }
}

/* No limit asks nothing of a host. */
static void test_unlimited_needs_nothing(void **state) {
        static const enum resource resources[] = { RESOURCE_MEMORY_MAX, RESOURCE_MEMORY_HIGH, RESOURCE_MEMORY_SWAP_MAX,
                                                   RESOURCE_TASKS_MAX, RESOURCE_CPU_QUOTA };
        struct scope_properties p = { .resources_set = 0 };

        for (size_t i = 0; i < ELEMENTS(resources); i++)
                scope_set(&p, resources[i], RESOURCE_UNLIMITED);
        expect(&p, true, 0, "", 0);
        expect(&p, false, 0, "", 0);
}

static void test_io_limits(void **state) {
        struct io_limit io[] = { { IO_READ_BPS, (char *) "/dev/sda", 1000 },
                                 { IO_WRITE_BPS, (char *) "/dev/sda", 2000 },
                                 { IO_READ_IOPS, (char *) "/dev/sda", 30 },
                                 { IO_WRITE_IOPS, (char *) "/dev/sda", RESOURCE_UNLIMITED } };
        struct scope_properties p = { .io = io, .n_io = ELEMENTS(io) };

        expect(&p, true, ALL,
               "blkio io.max=8:0 rbps=1000; blkio io.max=8:0 wbps=2000; blkio io.max=8:0 riops=30; "
               "blkio io.max=8:0 wiops=max",
               0);
        expect(&p, false, ALL,
               "blkio blkio.throttle.read_bps_device=8:0 1000; blkio blkio.throttle.write_bps_device=8:0 2000; "
               "blkio blkio.throttle.read_iops_device=8:0 30; blkio blkio.throttle.write_iops_device=8:0 0",
               0);
        io[0].path = (char *) "/proc/self";
        expect(&p, true, ALL, "invalid: IOReadBandwidthMax: /proc/self is no block device and lies on none.", 1);
}

static void test_too_many(void **state) {
        static struct io_limit io[LIMIT_WRITES_MAX + 1];
        struct scope_properties p = { .io = io, .n_io = ELEMENTS(io) };

        for (size_t i = 0; i < ELEMENTS(io); i++)
                io[i] = (struct io_limit){ IO_READ_BPS, (char *) "/dev/sda", i };
        expect(&p, true, ALL, "invalid: There are too many limits.", 0);
}

static void test_cpus(void **state) {
        static const struct {
                uint8_t mask[4];
                size_t n;
                const char *expected;
        } cases[] = {
                { { 0x0f }, 1, "cpuset cpuset.cpus=0-3" },
                { { 0x01, 0x01 }, 2, "cpuset cpuset.cpus=0,8" },
                { { 0x80, 0x01 }, 2, "cpuset cpuset.cpus=7-8" }, /* across a byte */
                { { 0xff, 0xff, 0xff, 0xff }, 4, "cpuset cpuset.cpus=0-31" },
                { { 0x00 }, 1, "" },
        };
        uint8_t gaps[32];
        struct scope_properties p = { .cpus = gaps, .n_cpus = sizeof(gaps) };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct scope_properties one = { .cpus = (uint8_t *) cases[i].mask, .n_cpus = cases[i].n };

                expect(&one, true, ALL, cases[i].expected, i);
                expect(&one, false, ALL, cases[i].expected, i);
        }
        memset(gaps, 0x55, sizeof(gaps));
        expect(&p, true, ALL, "invalid: AllowedCPUs has too many gaps.", 99);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_resource), cmocka_unit_test(test_together),
        cmocka_unit_test(test_missing),      cmocka_unit_test(test_unlimited_needs_nothing),
        cmocka_unit_test(test_io_limits),    cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_cpus),
};
RUN_TESTS(tests)
