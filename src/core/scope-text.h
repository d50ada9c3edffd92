/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/scope-text.h: scope properties as a person writes them, NAME=VALUE in the manner of systemd.resource-control(5). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "core/scope.h"

/* What a percentage is of. 0: not known, so that percentages are refused. */
struct scope_text_host {
        uint64_t memory_bytes;
        uint64_t tasks;
};

/* Which devices may be used: DevicePolicy=. */
enum device_policy {
        DEVICE_POLICY_CLOSED, /* those that every container has, and the ones that are allowed */
        DEVICE_POLICY_STRICT, /* only the ones that are allowed */
        DEVICE_POLICY_AUTO,   /* all, unless some are allowed: then as CLOSED */
        _DEVICE_POLICY_MAX,
};
DECLARE_TABLE(device_policy, enum device_policy);

enum device_access { DEVICE_READ = 1, DEVICE_WRITE = 2, DEVICE_MKNOD = 4 };

/* One DeviceAllow=. */
struct device_allow {
        char *path;      /* of the node, or "char-NAME", "block-NAME" with a name of /proc/devices */
        unsigned access; /* enum device_access */
};

struct scope_text {
        struct scope_properties properties;
        enum device_policy device_policy;
        struct device_allow *devices;
        size_t n_devices;
};

/* Adds one property; a later one of the same name goes before an earlier one, an empty value takes back what was said. -EINVAL with
 * a sentence in d: the property is not known, or the value wrong; t is as it was. -ENOMEM. */
int scope_text_add(struct scope_text *t, const char *text, const struct scope_text_host *host, struct diag *d);
void scope_text_done(struct scope_text *t);
