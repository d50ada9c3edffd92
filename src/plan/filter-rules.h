/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/filter-rules.h: which calls, by name, a payload may make: what is allowed to every container, what its
 * capabilities open, and what the user has added and refused. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spec_syscall_rule;

/* Fills allowed, one for each of syscall_rows. `warn` is told what has no effect; may be NULL. -ENOMEM. */
int filter_rules_apply(const struct spec_syscall_rule *rules, size_t n_rules, uint64_t capabilities,
                       void (*warn)(const char *text, void *userdata), void *userdata, bool *allowed);

/* The capabilities that open groups of calls: no others matter here. */
uint64_t filter_rules_capabilities(void);
