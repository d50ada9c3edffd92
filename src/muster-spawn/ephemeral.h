/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/ephemeral.h: a private version of a tree for one run (--ephemeral), and trees made from a template. */
#pragma once

#include "base/diag.h"

struct ephemeral {
        char *root;         /* what to run: a snapshot or copy; NULL: an overlay over the tree itself */
        char *upper;        /* the overlay's directory: "upper" and "work" go below */
        char *made;         /* hidden sibling of the tree that is removed at the end; NULL: nothing */
        const char *method; /* "btrfs snapshot", "reflink copy", "overlay", "copy": for people */
};

/* Makes it beside `tree` (below it, when it is a mount point), as .#machine.NAME and a random number, in the cheapest way that this
 * file system has. Removes first what runs that were killed left behind there. Negative errno with a diag. */
int ephemeral_make(const char *tree, const char *name, struct ephemeral *ret, struct diag *diag);
void ephemeral_remove(struct ephemeral *e);
