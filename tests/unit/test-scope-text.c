/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAME=VALUE -> scope properties: what systemd.resource-control(5) lets people write, and what is refused with which words. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "core/scope-text.h"

#define MAX RESOURCE_UNLIMITED
static const struct scope_text_host host = { .memory_bytes = UINT64_C(1) << 33, .tasks = 32768 };

static void test_resources(void **state) {
        static const struct {
                const char *text;
                enum resource resource;
                uint64_t value;
        } cases[] = {
                { "MemoryMax=1048576", RESOURCE_MEMORY_MAX, 1048576 },
                { "MemoryMax=512M", RESOURCE_MEMORY_MAX, 512 << 20 },
                { "MemoryLimit=1K", RESOURCE_MEMORY_MAX, 1024 },
                { "MemoryMax=10%", RESOURCE_MEMORY_MAX, (UINT64_C(1) << 33) / 10 },
                { "MemoryMax=100%", RESOURCE_MEMORY_MAX, UINT64_C(1) << 33 },
                { "MemoryMax=12.5%", RESOURCE_MEMORY_MAX, UINT64_C(1) << 30 },
                { "MemoryMax=500‰", RESOURCE_MEMORY_MAX, UINT64_C(1) << 32 },
                { "MemoryMax=infinity", RESOURCE_MEMORY_MAX, MAX },
                { "MemoryHigh=2G", RESOURCE_MEMORY_HIGH, UINT64_C(2) << 30 },
                { "MemoryHigh=0", RESOURCE_MEMORY_HIGH, 0 },
                { "MemoryLow=1T", RESOURCE_MEMORY_LOW, UINT64_C(1) << 40 },
                { "MemoryMin=1P", RESOURCE_MEMORY_MIN, UINT64_C(1) << 50 },
                { "MemorySwapMax=0", RESOURCE_MEMORY_SWAP_MAX, 0 },
                { "TasksMax=100", RESOURCE_TASKS_MAX, 100 },
                { "TasksMax=25%", RESOURCE_TASKS_MAX, 8192 },
                { "TasksMax=infinity", RESOURCE_TASKS_MAX, MAX },
                { "CPUWeight=1", RESOURCE_CPU_WEIGHT, 1 },
                { "CPUWeight=10000", RESOURCE_CPU_WEIGHT, 10000 },
                { "IOWeight=200", RESOURCE_IO_WEIGHT, 200 },
                { "CPUQuota=20%", RESOURCE_CPU_QUOTA, 200000 },
                { "CPUQuota=150%", RESOURCE_CPU_QUOTA, 1500000 },
                { "CPUQuotaPeriodSec=10ms", RESOURCE_CPU_PERIOD, 10000 },
                { "CPUQuotaPeriodSec=1", RESOURCE_CPU_PERIOD, 1000000 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct scope_text t = { .devices = NULL };
                struct diag d = { 0 };

                if (scope_text_add(&t, cases[i].text, &host, &d) < 0)
                        fail_msg("%s: %s", cases[i].text, d.text);
                if (t.properties.resources_set != UINT32_C(1) << cases[i].resource ||
                    t.properties.resources[cases[i].resource] != cases[i].value)
                        fail_msg("%s: %llu", cases[i].text,
                                 (unsigned long long) t.properties.resources[cases[i].resource]);
                scope_text_done(&t);
        }
}

static void test_wrong(void **state) {
        static const struct {
                const char *text, *part; /* of the sentence */
        } cases[] = {
                { "MemoryMax", "NAME=VALUE" },
                { "=1", "NAME=VALUE" },
                { "Nonsense=1", "--property=Nonsense=: not known" },
                { "CPUQuotaPerSecUSec=1", "not known" }, /* the bus says that, nobody writes it */
                { "MemoryMax=0", "MemoryMax=0: must be a size above 0" },
                { "MemoryMax=0%", "above 0" },
                { "MemoryMax=101%", "percentage" },
                { "MemoryMax=1.5G", "512M" },
                { "MemoryMax=1GB", "512M" },
                { "MemoryMax=-1", "512M" },
                { "MemoryMax= 1", "512M" },
                { "MemoryMax=99999999999999999999", "512M" },
                { "MemoryMax=18446744073709551615", "512M" }, /* would be no limit */
                { "MemoryMax=16E", "512M" },
                { "MemoryHigh=x", "MemoryHigh=x: must be a size such as" },
                { "TasksMax=0", "tasks above 0" },
                { "TasksMax=many", "tasks above 0" },
                { "CPUWeight=0", "from 1 to 10000" },
                { "CPUWeight=10001", "from 1 to 10000" },
                { "IOWeight=infinity", "from 1 to 10000" },
                { "CPUQuota=20", "percentage of one processor" },
                { "CPUQuota=0%", "percentage of one processor" },
                { "CPUQuota=infinity", "percentage of one processor" },
                { "CPUQuota=1.%", "percentage of one processor" },
                { "CPUQuotaPeriodSec=2s", "1ms to 1s" },
                { "CPUQuotaPeriodSec=1us", "1ms to 1s" },
                { "IOReadBandwidthMax=/dev/sda", "/dev/sda 10M" },
                { "IOReadBandwidthMax=/dev/sda 0", "above 0" },
                { "IOReadBandwidthMax=sda 1M", "absolute path" },
                { "IOReadBandwidthMax=/dev/../etc 1M", "absolute path" },
                { "AllowedCPUs=3-1", "0-3,8" },
                { "AllowedCPUs=a", "0-3,8" },
                { "AllowedCPUs=1-", "0-3,8" },
                { "AllowedCPUs=,", "0-3,8" },
                { "AllowedCPUs=8192", "0-3,8" },
                { "Slice=nonsense", "name of a slice" },
                { "DevicePolicy=open", "closed, strict and auto" },
                { "DeviceAllow=/etc/passwd r", "below /dev" },
                { "DeviceAllow=/dev/kvm x", "r, w and m" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct scope_text t = { .devices = NULL };
                struct diag d = { 0 };
                int r = scope_text_add(&t, cases[i].text, &host, &d);

                if (r != -EINVAL || !strstr(d.text, cases[i].part) || !endswith(d.text, "."))
                        fail_msg("%s: %d, '%s' without '%s'", cases[i].text, r, d.text, cases[i].part);
                assert_int_equal(t.properties.resources_set, 0);
                assert_true(!t.properties.n_io && !t.properties.cpus && !t.n_devices);
                scope_text_done(&t);
        }
}

static void add(struct scope_text *t, const char *text) {
        struct diag d = { 0 };

        if (scope_text_add(t, text, &host, &d) < 0)
                fail_msg("%s: %s", text, d.text);
}

static void test_percentage_of_unknown(void **state) {
        static const struct scope_text_host unknown = { 0, 0 };
        struct scope_text t = { .devices = NULL };
        struct diag d = { 0 };

        assert_int_equal(scope_text_add(&t, "MemoryMax=10%", &unknown, &d), -EINVAL);
        assert_int_equal(scope_text_add(&t, "TasksMax=10%", &unknown, &d), -EINVAL);
        scope_text_done(&t);
}

static void test_io_limits(void **state) {
        struct scope_text t = { .devices = NULL };
        const struct scope_properties *p = &t.properties;

        add(&t, "IOReadBandwidthMax=/dev/sda 10M");
        add(&t, "IOWriteIOPSMax=/dev/sdb \t 1K");
        add(&t, "IOReadBandwidthMax=/dev/sda infinity"); /* the later one counts */
        assert_int_equal(p->n_io, 2);
        assert_true(p->io[0].kind == IO_READ_BPS && p->io[0].value == MAX && streq(p->io[0].path, "/dev/sda"));
        assert_true(p->io[1].kind == IO_WRITE_IOPS && p->io[1].value == 1000 && streq(p->io[1].path, "/dev/sdb"));
        add(&t, "IOReadBandwidthMax=");
        assert_true(p->n_io == 1 && p->io[0].kind == IO_WRITE_IOPS);
        scope_text_done(&t);
}

static void test_cpus(void **state) {
        struct scope_text t = { .devices = NULL };

        add(&t, "AllowedCPUs=0-3,8 10");
        assert_int_equal(t.properties.n_cpus, 2);
        assert_int_equal(t.properties.cpus[0], 0x0f);
        assert_int_equal(t.properties.cpus[1], 0x05);
        add(&t, "AllowedCPUs=");
        assert_null(t.properties.cpus);
        scope_text_done(&t);
}

static void test_devices(void **state) {
        struct scope_text t = { .devices = NULL };

        assert_int_equal(t.device_policy, DEVICE_POLICY_CLOSED);
        add(&t, "DeviceAllow=/dev/kvm rw");
        add(&t, "DeviceAllow=char-drm");
        assert_int_equal(t.n_devices, 2);
        assert_true(streq(t.devices[0].path, "/dev/kvm") && t.devices[0].access == (DEVICE_READ | DEVICE_WRITE));
        assert_int_equal(t.devices[1].access, DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD);
        add(&t, "DevicePolicy=auto");
        assert_int_equal(t.device_policy, DEVICE_POLICY_AUTO);
        add(&t, "DeviceAllow=");
        add(&t, "DevicePolicy=");
        assert_true(t.n_devices == 0 && t.device_policy == DEVICE_POLICY_CLOSED);
        scope_text_done(&t);
}

static void test_the_rest(void **state) {
        struct scope_text t = { .devices = NULL };

        add(&t, "MemoryMax=1G");
        add(&t, "MemoryMax="); /* taken back */
        add(&t, "KillMode=mixed");
        add(&t, "TimeoutStopSec=10");
        assert_int_equal(t.properties.resources_set, 0);
        add(&t, "Slice=a-b.slice");
        add(&t, "Description=A b");
        assert_string_equal(t.properties.slice, "a-b.slice");
        assert_string_equal(t.properties.description, "A b");
        scope_text_done(&t);
}

/* Each row of the table in core/scope.c can be written, with the exception of names that only the bus has. */
static void test_every_property(void **state) {
        static const char *const bus_only[] = { "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec", "TimeoutStopUSec" };

        for (const struct scope_property *p = scope_property_table(); p->name; p++) {
                AUTO_FREE char *text = NULL;
                struct scope_text t = { .devices = NULL };
                struct diag d = { 0 };
                bool known = true;

                for (size_t i = 0; i < ELEMENTS(bus_only); i++)
                        known = known && !streq(p->name, bus_only[i]);
                assert_true(asprintf(&text, "%s=", p->name) > 0);
                assert_int_equal(scope_text_add(&t, text, &host, &d), known ? 0 : -EINVAL);
                scope_text_done(&t);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_io_limits), cmocka_unit_test(test_percentage_of_unknown),
        cmocka_unit_test(test_cpus),      cmocka_unit_test(test_devices),
        cmocka_unit_test(test_the_rest),  cmocka_unit_test(test_every_property),
};
RUN_TESTS(tests)
