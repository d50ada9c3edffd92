/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/ephemeral.h: a private version of a tree for one run (--ephemeral), and trees made from a template. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct ephemeral {
        char *root;      /* what to run: a snapshot or copy; NULL: an overlay over the tree itself */
        char *upper;     /* the overlay's directory: "upper" and "work" go below */
        char *made;      /* the hidden directory that is removed at the end; NULL: nothing */
        char *lock_path; /* held while it exists: what is there without has been left behind by a run that was killed */
        int lock;
        const char *method; /* "btrfs snapshot", "reflink copy", "overlay", "copy": for people */
};

#define EPHEMERAL_EMPTY ((struct ephemeral){ .lock = -9 })

/* What an overlay has to do with owners: `count` from on_disk on are shown as those from `shown` on; count 0: nothing. Where the kernel
 * cannot do it, there will be no overlay. no_overlay: the files themselves will be changed, so that there had better be copies. */
struct ephemeral_owners {
        uint32_t on_disk, shown, count;
        bool no_overlay;
};

/* Makes it beside `tree`, a resolved path (below it when it is a mount point; in /var/tmp when that file system is read-only), as
 * .#machine.NAME and a random number, in the cheapest way that this file system has: a snapshot of btrfs; copies that share blocks; an
 * overlay; copies. Removes first what runs that were killed left behind there. Negative errno with a diag; -EINTR: a signal is pending. */
int ephemeral_make(const char *tree, const struct ephemeral_owners *owners, struct ephemeral *ret, struct diag *diag);
/* Removes what runs of that tree that were killed left behind. */
void ephemeral_clean(const char *tree);
/* For another run with the same files, after a reboot. */
int ephemeral_again(const struct ephemeral *e);
void ephemeral_remove(struct ephemeral *e);

/* Makes the tree `target` (absolute, without "." and "..") like the tree `template`: a snapshot or copies. It appears when it is
 * complete. -EEXIST: there is one now. *ret_method as above. */
int tree_from_template(const char *template, const char *target, const char **ret_method, struct diag *diag);
