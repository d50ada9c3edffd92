/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scope properties by name: what is applied, what has no meaning without systemd, and, by absence, what is refused.
 * docs/scope-properties.md is the same table for people; a test compares the two. */
#include "core/scope.h"

#include <stdlib.h>
#include <string.h>

static const char *const resource_table[_RESOURCE_MAX] = {
        [RESOURCE_MEMORY_MAX] = "MemoryMax",          [RESOURCE_MEMORY_HIGH] = "MemoryHigh",
        [RESOURCE_MEMORY_LOW] = "MemoryLow",          [RESOURCE_MEMORY_MIN] = "MemoryMin",
        [RESOURCE_MEMORY_SWAP_MAX] = "MemorySwapMax", [RESOURCE_TASKS_MAX] = "TasksMax",
        [RESOURCE_CPU_WEIGHT] = "CPUWeight",          [RESOURCE_CPU_QUOTA] = "CPUQuotaPerSecUSec",
        [RESOURCE_CPU_PERIOD] = "CPUQuotaPeriodUSec", [RESOURCE_IO_WEIGHT] = "IOWeight",
};
DEFINE_TABLE(resource, enum resource)

static const char *const io_limit_kind_table[_IO_LIMIT_MAX] = {
        [IO_READ_BPS] = "IOReadBandwidthMax",
        [IO_WRITE_BPS] = "IOWriteBandwidthMax",
        [IO_READ_IOPS] = "IOReadIOPSMax",
        [IO_WRITE_IOPS] = "IOWriteIOPSMax",
};
DEFINE_TABLE(io_limit_kind, enum io_limit_kind)

#define RESOURCE(name, value) \
        { name, "t", SCOPE_RESOURCE, value }
#define IO_LIMIT(name, value) \
        { name, "a(st)", SCOPE_IO_LIMIT, value }
#define ACCEPTED(name) \
        { name, NULL, SCOPE_ACCEPTED, 0 }
#define OTHER_UNITS(name) \
        { name, NULL, SCOPE_OTHER_UNITS, 0 }

static const struct scope_property properties[] = {
        RESOURCE("MemoryMax", RESOURCE_MEMORY_MAX),
        RESOURCE("MemoryLimit", RESOURCE_MEMORY_MAX), /* the old name of the same */
        RESOURCE("MemoryHigh", RESOURCE_MEMORY_HIGH),
        RESOURCE("MemoryLow", RESOURCE_MEMORY_LOW),
        RESOURCE("MemoryMin", RESOURCE_MEMORY_MIN),
        RESOURCE("MemorySwapMax", RESOURCE_MEMORY_SWAP_MAX),
        RESOURCE("TasksMax", RESOURCE_TASKS_MAX),
        RESOURCE("CPUWeight", RESOURCE_CPU_WEIGHT),
        RESOURCE("CPUQuotaPerSecUSec", RESOURCE_CPU_QUOTA),
        RESOURCE("CPUQuotaPeriodUSec", RESOURCE_CPU_PERIOD),
        RESOURCE("IOWeight", RESOURCE_IO_WEIGHT),
        IO_LIMIT("IOReadBandwidthMax", IO_READ_BPS),
        IO_LIMIT("IOWriteBandwidthMax", IO_WRITE_BPS),
        IO_LIMIT("IOReadIOPSMax", IO_READ_IOPS),
        IO_LIMIT("IOWriteIOPSMax", IO_WRITE_IOPS),
        { "Slice", "s", SCOPE_SLICE, 0 },
        { "Description", "s", SCOPE_DESCRIPTION, 0 },
        { "AllowedCPUs", "ay", SCOPE_CPUS, 0 },
        { "KillSignal", "i", SCOPE_KILL_SIGNAL, 0 },
        { "DeviceAllow", NULL, SCOPE_NOT_ENFORCED, 0 },
        { "DevicePolicy", NULL, SCOPE_NOT_ENFORCED, 0 },
        ACCEPTED("AddRef"),
        OTHER_UNITS("After"),
        OTHER_UNITS("Before"),
        ACCEPTED("CollectMode"),
        OTHER_UNITS("Controller"),
        ACCEPTED("CPUAccounting"),
        OTHER_UNITS("DefaultDependencies"),
        ACCEPTED("Delegate"),
        ACCEPTED("DelegateSubgroup"),
        ACCEPTED("Documentation"),
        ACCEPTED("FinalKillSignal"),
        ACCEPTED("IOAccounting"),
        ACCEPTED("IPAccounting"),
        ACCEPTED("KillMode"),
        ACCEPTED("MemoryAccounting"),
        ACCEPTED("OOMPolicy"),
        OTHER_UNITS("PartOf"),
        OTHER_UNITS("Requires"),
        ACCEPTED("RestartKillSignal"),
        ACCEPTED("SendSIGHUP"),
        ACCEPTED("SendSIGKILL"),
        ACCEPTED("TasksAccounting"),
        ACCEPTED("TimeoutStopUSec"),
        OTHER_UNITS("Wants"),
        { NULL, NULL, 0, 0 },
};

const struct scope_property *scope_property_table(void) {
        return properties;
}

const struct scope_property *scope_property_find(const char *name) {
        for (const struct scope_property *p = properties; p->name; p++)
                if (strcmp(p->name, name) == 0)
                        return p;
        return NULL;
}

void scope_set(struct scope_properties *p, enum resource r, uint64_t value) {
        p->resources[r] = value;
        p->resources_set |= UINT32_C(1) << r;
}

void scope_properties_done(struct scope_properties *p) {
        for (size_t i = 0; i < p->n_io; i++)
                free(p->io[i].path);
        free(p->io);
        free(p->slice);
        free(p->description);
        free(p->cpus);
        if (p->raw)
                p->raw_free(p->raw);
        *p = (struct scope_properties){ .resources_set = 0 };
}
