/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/scope.h: the scope properties clients pass with CreateMachine, as resources; and which names we know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/table.h"

#define RESOURCE_UNLIMITED UINT64_MAX

enum resource {
        RESOURCE_MEMORY_MAX,      /* bytes */
        RESOURCE_MEMORY_HIGH,     /* bytes */
        RESOURCE_MEMORY_LOW,      /* bytes */
        RESOURCE_MEMORY_MIN,      /* bytes */
        RESOURCE_MEMORY_SWAP_MAX, /* bytes */
        RESOURCE_TASKS_MAX,
        RESOURCE_CPU_WEIGHT, /* 1..10000, default 100 */
        RESOURCE_CPU_QUOTA,  /* microseconds of CPU per second */
        RESOURCE_CPU_PERIOD, /* microseconds */
        RESOURCE_IO_WEIGHT,  /* 1..10000, default 100 */
        _RESOURCE_MAX,
};
DECLARE_TABLE(resource, enum resource); /* the D-Bus property name: "MemoryMax" ... */

enum io_limit_kind { IO_READ_BPS, IO_WRITE_BPS, IO_READ_IOPS, IO_WRITE_IOPS, _IO_LIMIT_MAX };
DECLARE_TABLE(io_limit_kind, enum io_limit_kind); /* "IOReadBandwidthMax" ... */

struct io_limit {
        enum io_limit_kind kind;
        char *path;     /* block device node or file on it, absolute */
        uint64_t value; /* bytes or operations a second, RESOURCE_UNLIMITED lifts it */
};

struct scope_properties {
        uint64_t resources[_RESOURCE_MAX];
        uint32_t resources_set; /* bit per enum resource */
        struct io_limit *io;
        size_t n_io;
        char *slice;       /* NULL: machine.slice */
        char *description; /* NULL: default */
        uint8_t *cpus;     /* bitmask, little endian, n_cpus bytes; NULL: unset */
        size_t n_cpus;
        int kill_signal;   /* what asks the processes to end; 0: SIGTERM */
        bool not_enforced; /* DeviceAllow or DevicePolicy was among them */
        char for_root[64]; /* the first that is handed on though it may reach beyond the scope, escaped; "": none */

        /* The list as the client sent it, for a service manager that knows properties which we do not; only the door and
         * that backend know what it is. NULL: nobody asked for it. Owned: raw_free(raw) ends it. */
        void *raw;
        void (*raw_free)(void *raw);
};

void scope_properties_done(struct scope_properties *p);
static inline bool scope_has(const struct scope_properties *p, enum resource r) {
        return p->resources_set & (UINT32_C(1) << r);
}
void scope_set(struct scope_properties *p, enum resource r, uint64_t value);

enum scope_property_kind {
        SCOPE_RESOURCE, /* value: an enum resource */
        SCOPE_IO_LIMIT, /* value: an enum io_limit_kind */
        SCOPE_SLICE,
        SCOPE_DESCRIPTION,
        SCOPE_CPUS,         /* AllowedCPUs */
        SCOPE_KILL_SIGNAL,  /* KillSignal */
        SCOPE_ACCEPTED,     /* without meaning on a host without systemd */
        SCOPE_OTHER_UNITS,  /* likewise; with systemd it reaches beyond the scope */
        SCOPE_NOT_ENFORCED, /* devices: logged, not enforced yet */
};

struct scope_property {
        const char *name;
        const char *signature; /* D-Bus type of the value; NULL: any */
        enum scope_property_kind kind;
        int value;
};

/* NULL: unknown, to be refused by name. */
const struct scope_property *scope_property_find(const char *name);
/* The table itself, for documents and tests; ends with a NULL name. */
const struct scope_property *scope_property_table(void);
