/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one place that knows the names and units of limit files (the kernel's cgroup-v2 and cgroup-v1 documents). */
#include "codec/cgroup-limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define PERIOD_DEFAULT 100000 /* microseconds */
#define PERIOD_MIN 1000       /* what the kernel takes */
#define PERIOD_MAX 1000000
#define WEIGHT_MAX 10000

void limit_writes_done(struct limit_writes *w) {
        free(w->writes);
        *w = (struct limit_writes){ NULL, 0 };
}

const char *cgroup_controller_v2_name(enum cgroup_controller c) {
        return c == CGROUP_BLKIO ? "io" : cgroup_controller_to_string(c);
}

struct maker {
        struct limit_writes *out;
        struct diag *d;
        unsigned available;
        bool v2;
};

static int missing(struct maker *k, enum cgroup_controller c, const char *property) {
        return diag_set(k->d, -EOPNOTSUPP, property,
                        "%s cannot be enforced: this host has no %s controller for machines.", property,
                        k->v2 ? cgroup_controller_v2_name(c) : cgroup_controller_to_string(c));
}

static int put(struct maker *k, enum cgroup_controller c, const char *property, const char *file, const char *value) {
        struct limit_write *w;

        if (!(k->available & (1U << c)))
                return missing(k, c, property);
        if (k->out->n >= LIMIT_WRITES_MAX)
                return diag_set(k->d, -EINVAL, property, "There are too many limits.");
        w = &k->out->writes[k->out->n++];
        w->controller = c;
        w->property = property;
        snprintf(w->file, sizeof(w->file), "%s", file);
        snprintf(w->value, sizeof(w->value), "%s", value);
        return 0;
}

/* A plain number, "max" (v2) or -1 (v1) for no limit. No limit needs no controller. */
static int put_number(struct maker *k, enum cgroup_controller c, enum resource resource, const char *file,
                      uint64_t value) {
        const char *property = resource_to_string(resource);
        char text[32];

        if (value == RESOURCE_UNLIMITED) {
                if (!(k->available & (1U << c)))
                        return 0;
                return put(k, c, property, file, k->v2 || c == CGROUP_PIDS ? "max" : "-1");
        }
        snprintf(text, sizeof(text), "%llu", (unsigned long long) value);
        return put(k, c, property, file, text);
}

static int put_simple(struct maker *k, const struct scope_properties *p) {
        static const struct {
                enum resource resource;
                enum cgroup_controller controller;
                const char *v2, *v1; /* v1 NULL: cannot be said there */
        } rows[] = {
                { RESOURCE_MEMORY_MAX, CGROUP_MEMORY, "memory.max", "memory.limit_in_bytes" },
                { RESOURCE_MEMORY_HIGH, CGROUP_MEMORY, "memory.high", NULL },
                { RESOURCE_MEMORY_LOW, CGROUP_MEMORY, "memory.low", "memory.soft_limit_in_bytes" },
                { RESOURCE_MEMORY_MIN, CGROUP_MEMORY, "memory.min", NULL },
                { RESOURCE_TASKS_MAX, CGROUP_PIDS, "pids.max", "pids.max" },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(rows); i++) {
                const char *property = resource_to_string(rows[i].resource);
                uint64_t value = p->resources[rows[i].resource];

                if (!scope_has(p, rows[i].resource))
                        continue;
                if (!k->v2 && !rows[i].v1)
                        r = value == RESOURCE_UNLIMITED || value == 0
                                    ? 0
                                    : diag_set(k->d, -EOPNOTSUPP, property, "%s cannot be enforced with cgroup v1.",
                                               property);
                else
                        r = put_number(k, rows[i].controller, rows[i].resource, k->v2 ? rows[i].v2 : rows[i].v1, value);
        }
        return r;
}

/* v1 counts memory and swap together, so its limit is the sum and needs the memory limit. */
static int put_swap(struct maker *k, const struct scope_properties *p) {
        uint64_t swap = p->resources[RESOURCE_MEMORY_SWAP_MAX], sum;

        if (!scope_has(p, RESOURCE_MEMORY_SWAP_MAX))
                return 0;
        if (k->v2)
                return put_number(k, CGROUP_MEMORY, RESOURCE_MEMORY_SWAP_MAX, "memory.swap.max", swap);
        if (swap == RESOURCE_UNLIMITED)
                return 0;
        if (!scope_has(p, RESOURCE_MEMORY_MAX) || p->resources[RESOURCE_MEMORY_MAX] == RESOURCE_UNLIMITED ||
            __builtin_add_overflow(p->resources[RESOURCE_MEMORY_MAX], swap, &sum))
                return diag_set(k->d, -EOPNOTSUPP, "MemorySwapMax",
                                "MemorySwapMax needs MemoryMax with it: cgroup v1 limits the two together.");
        return put_number(k, CGROUP_MEMORY, RESOURCE_MEMORY_SWAP_MAX, "memory.memsw.limit_in_bytes", sum);
}

/* Set, and not only to say that there is no limit. */
static bool wants(const struct scope_properties *p, enum resource r) {
        return scope_has(p, r) && p->resources[r] != RESOURCE_UNLIMITED;
}

static int check_weight(struct maker *k, const struct scope_properties *p, enum resource r) {
        const char *property = resource_to_string(r);

        if (!wants(p, r) || (p->resources[r] >= 1 && p->resources[r] <= WEIGHT_MAX))
                return 0;
        return diag_set(k->d, -EINVAL, property, "%s is a number from 1 to %d.", property, WEIGHT_MAX);
}

static int put_weights(struct maker *k, const struct scope_properties *p) {
        char text[32];
        int r = 0;

        r = check_weight(k, p, RESOURCE_CPU_WEIGHT);
        if (r >= 0)
                r = check_weight(k, p, RESOURCE_IO_WEIGHT);
        if (r >= 0 && wants(p, RESOURCE_CPU_WEIGHT)) {
                uint64_t weight = p->resources[RESOURCE_CPU_WEIGHT], shares = weight * 1024 / 100;

                snprintf(text, sizeof(text), "%llu", (unsigned long long) (k->v2 ? weight : shares < 2 ? 2 : shares));
                r = put(k, CGROUP_CPU, "CPUWeight", k->v2 ? "cpu.weight" : "cpu.shares", text);
        }
        if (r >= 0 && wants(p, RESOURCE_IO_WEIGHT)) {
                uint64_t weight = p->resources[RESOURCE_IO_WEIGHT];

                /* v1's scale is 10..1000 around 500, ours 1..10000 around 100. */
                weight = k->v2 ? weight : weight * 5 > 1000 ? 1000 : weight * 5 < 10 ? 10 : weight * 5;
                snprintf(text, sizeof(text), k->v2 ? "default %llu" : "%llu", (unsigned long long) weight);
                r = put(k, CGROUP_BLKIO, "IOWeight", k->v2 ? "io.weight" : "blkio.weight", text);
        }
        return r;
}

static int put_quota(struct maker *k, const struct scope_properties *p) {
        uint64_t period = wants(p, RESOURCE_CPU_PERIOD) ? p->resources[RESOURCE_CPU_PERIOD] : PERIOD_DEFAULT;
        uint64_t per_second = p->resources[RESOURCE_CPU_QUOTA], quota;
        char text[64];
        int r;

        if (!scope_has(p, RESOURCE_CPU_QUOTA))
                return 0;
        if (per_second == RESOURCE_UNLIMITED)
                return k->available & (1U << CGROUP_CPU)
                               ? put(k, CGROUP_CPU, "CPUQuotaPerSecUSec", k->v2 ? "cpu.max" : "cpu.cfs_quota_us",
                                     k->v2 ? "max" : "-1")
                               : 0;
        period = period < PERIOD_MIN ? PERIOD_MIN : period > PERIOD_MAX ? PERIOD_MAX : period;
        if (__builtin_mul_overflow(per_second, period, &quota))
                return diag_set(k->d, -EINVAL, "CPUQuotaPerSecUSec", "CPUQuotaPerSecUSec is too large.");
        quota /= 1000000;
        if (quota < 1000)
                quota = 1000; /* the kernel's least */
        if (k->v2) {
                snprintf(text, sizeof(text), "%llu %llu", (unsigned long long) quota, (unsigned long long) period);
                return put(k, CGROUP_CPU, "CPUQuotaPerSecUSec", "cpu.max", text);
        }
        snprintf(text, sizeof(text), "%llu", (unsigned long long) period);
        r = put(k, CGROUP_CPU, "CPUQuotaPerSecUSec", "cpu.cfs_period_us", text);
        if (r < 0)
                return r;
        snprintf(text, sizeof(text), "%llu", (unsigned long long) quota);
        return put(k, CGROUP_CPU, "CPUQuotaPerSecUSec", "cpu.cfs_quota_us", text);
}

static int put_io_limits(struct maker *k, const struct scope_properties *p, device_fn device, void *userdata) {
        static const char *const v2_keys[_IO_LIMIT_MAX] = { "rbps", "wbps", "riops", "wiops" };
        static const char *const v1_files[_IO_LIMIT_MAX] = {
                "blkio.throttle.read_bps_device",
                "blkio.throttle.write_bps_device",
                "blkio.throttle.read_iops_device",
                "blkio.throttle.write_iops_device",
        };

        for (size_t i = 0; i < p->n_io; i++) {
                const struct io_limit *limit = &p->io[i];
                const char *property = io_limit_kind_to_string(limit->kind);
                char number[32], text[96], value[24];
                int r = device(userdata, limit, number, sizeof(number));

                if (r < 0)
                        return diag_set(k->d, -EINVAL, property, "%s: %.80s is no block device and lies on none.",
                                        property, limit->path);
                snprintf(value, sizeof(value), "%llu", (unsigned long long) limit->value);
                if (k->v2)
                        snprintf(text, sizeof(text), "%s %s=%s", number, v2_keys[limit->kind],
                                 limit->value == RESOURCE_UNLIMITED ? "max" : value);
                else
                        snprintf(text, sizeof(text), "%s %s", number, limit->value == RESOURCE_UNLIMITED ? "0" : value);
                r = put(k, CGROUP_BLKIO, property, k->v2 ? "io.max" : v1_files[limit->kind], text);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A bit mask as the kernel's list of ranges: "0-3,8". */
static int put_cpus(struct maker *k, const struct scope_properties *p) {
        char text[96] = "";
        size_t n = 0;

        if (!p->cpus)
                return 0;
        for (size_t first = 0; first < p->n_cpus * 8; first++) {
                size_t last = first;

                if (!(p->cpus[first / 8] & (1U << first % 8)))
                        continue;
                while (last + 1 < p->n_cpus * 8 && (p->cpus[(last + 1) / 8] & (1U << (last + 1) % 8)))
                        last++;
                n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%zu", n ? "," : "", first);
                if (n < sizeof(text) && last > first) /* spelled as the kernel does, who is asked afterwards */
                        n += (size_t) snprintf(text + n, sizeof(text) - n, "-%zu", last);
                if (n >= sizeof(text))
                        return diag_set(k->d, -EINVAL, "AllowedCPUs", "AllowedCPUs has too many gaps.");
                first = last;
        }
        return n > 0 ? put(k, CGROUP_CPUSET, "AllowedCPUs", "cpuset.cpus", text) : 0;
}

int cgroup_limits_make(const struct scope_properties *props, bool v2, unsigned available, device_fn device,
                       void *userdata, struct limit_writes *ret, struct diag *d) {
        struct limit_writes out = { NULL, 0 };
        struct maker k = { .out = &out, .d = d, .available = available, .v2 = v2 };
        int r;

        if (props->resources_set == 0 && props->n_io == 0 && !props->cpus) { /* by far the usual case */
                *ret = out;
                return 0;
        }
        out.writes = calloc(LIMIT_WRITES_MAX, sizeof(*out.writes));
        if (!out.writes)
                return -ENOMEM;
        r = put_simple(&k, props);
        if (r >= 0)
                r = put_swap(&k, props);
        if (r >= 0)
                r = put_weights(&k, props);
        if (r >= 0)
                r = put_quota(&k, props);
        if (r >= 0)
                r = put_io_limits(&k, props, device, userdata);
        if (r >= 0)
                r = put_cpus(&k, props);
        if (r < 0) {
                limit_writes_done(&out);
                return r;
        }
        *ret = out;
        return 0;
}
