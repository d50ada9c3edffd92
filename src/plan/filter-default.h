/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/filter-default.h: the filter that most containers get, made when Muster is built (tools/make-default-filter.c): it saves a
 * part of every start. Only filter_build() looks at it. */
#pragma once

#include "plan/filter.h"

struct filter_default {
        const struct filter_instruction *code; /* NULL: there is none, each is built when it is wanted */
        size_t n_code, n_allowed;
        uint64_t capabilities; /* those of filter_rules_capabilities() that it is for */
};

extern const struct filter_default filter_default;
