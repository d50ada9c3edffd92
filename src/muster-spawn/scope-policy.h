/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/scope-policy.h: what the scope of a payload may use, on a host where nobody else sees to that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "codec/cgroup-limits.h"
#include "codec/device-rules.h"

struct payload_cgroup;
struct spec;

struct scope_policy {
        struct limit_writes limits;
        char *slice; /* --slice=, or --property=Slice=; NULL: not said */
        struct device_rule *devices;
        size_t n_devices;
        struct device_instruction *code; /* the same as a program, where one is wanted */
        size_t n_code;
        bool devices_limited; /* only those may be used */
        bool devices_asked;   /* by name: that it cannot be done is a failure then */
};

/* Out of --property=, --slice= and the devices that are bound into the container. c: probed, nothing made yet. -EINVAL, -EOPNOTSUPP
 * with a sentence in diag. */
int scope_policy_make(const struct spec *s, const struct payload_cgroup *c, struct scope_policy *ret,
                      struct diag *diag);
/* To the payload's group, which was made for it: all that has to be there before the groups below it and the child. Negative with a
 * sentence in diag. */
int scope_policy_apply(const struct scope_policy *p, const struct payload_cgroup *c, struct diag *diag);
/* The rest, before the payload runs: the kernel compiles a program for cgroup v2, while the child has other things to do. */
int scope_policy_complete(const struct scope_policy *p, const struct payload_cgroup *c, struct diag *diag);
/* Bit per controller whose hierarchy of v1 must have the scope, too. */
unsigned scope_policy_controllers(const struct scope_policy *p);
void scope_policy_done(struct scope_policy *p);
