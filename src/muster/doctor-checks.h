/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/doctor-checks.h: what of this host Muster would use: one function per thing, a table of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "muster/options.h"

struct doctor_check {
        const char *name;
        /* true: it is there. detail gets a few words, may stay empty. Changes nothing on the host. */
        bool (*look)(const struct options *o, struct buf *detail);
        const char *without; /* what does not work when it is missing */
};

const struct doctor_check *doctor_checks(size_t *ret_n);
