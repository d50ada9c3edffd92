/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/capabilities.h: which capabilities a payload keeps. Pure; bit n of a mask is capability n (capabilities(7)). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct spec;

struct capability_sets {
        uint64_t bounding, effective, permitted, inheritable, ambient;
};

struct capability_facts {
        uint64_t own;         /* what the caller itself has: nothing else can be given */
        bool user_namespace;  /* the payload gets one of its own; then `own` does not limit */
        bool network_private; /* a network namespace of its own, or one joined together with --private-network */
        bool payload_is_root; /* user 0 inside */
};

/* *ret_missing: wanted by name with --capability= but not held by the caller (a warning). -EINVAL with a diag:
 * ambient ones that are outside of the bounding set, or together with --boot. */
int capabilities_decide(const struct spec *spec, const struct capability_facts *facts, struct capability_sets *ret,
                        uint64_t *ret_missing, struct diag *diag);
