/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/prepare-tree.h: what has to be there before the tree can be looked at: itself, made from a template; the machine's
 * range of user numbers; its private version. */
#pragma once

#include <stdint.h>

#include "base/diag.h"
#include "muster-spawn/ephemeral.h"
#include "muster-spawn/uid-range.h"

struct spec;
struct facts;

/* Kept while the machine reboots: it comes up with the same name, numbers and files. */
struct prepared_tree {
        char *machine; /* NULL: nothing is prepared yet */
        struct uid_range range;
        uint32_t uid_base, uid_count;
        struct ephemeral ephemeral;
};

#define PREPARED_TREE_EMPTY ((struct prepared_tree){ .range = UID_RANGE_EMPTY, .ephemeral = EPHEMERAL_EMPTY })

/* --template=: makes facts->root when it is not there. Before it is locked. */
int prepare_template(const struct spec *spec, struct facts *facts, struct diag *diag);
/* Range and private version; the tree is locked. Changes facts->root, or sets facts->ephemeral_upper. Negative errno with a diag; what
 * has been taken by then is in p. */
int prepare_tree(const struct spec *spec, struct facts *facts, struct prepared_tree *p, struct diag *diag);
void prepared_tree_done(struct prepared_tree *p);
