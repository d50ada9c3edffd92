/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-transfer/place.h: the machine's files, and who may touch them there. */
#pragma once

#include <errno.h>
#include <sys/types.h>

#include "base/diag.h"

struct place {
        int leader; /* pidfd, borrowed */
        int proc;   /* the leader's directory in /proc */
        int root;   /* the machine's root directory, a place (O_PATH) */
        int users;  /* its user namespace, and */
        int mounts; /* its mount namespace; -EBADF: those are ours, too */
};

#define PLACE_EMPTY \
        { .leader = -EBADF, .proc = -EBADF, .root = -EBADF, .users = -EBADF, .mounts = -EBADF }

/* -errno, with a sentence in d. */
int place_open(int pidfd, struct place *ret, struct diag *d);
void place_done(struct place *p);

/* From now on this process has the rights that root of the machine has, and no more, where the machine has a user namespace: what
 * is mounted in it may be somebody else's, and whoever may write there is for the kernel to say. -EINVAL: there is no root in it. */
int place_become_root(const struct place *p);
