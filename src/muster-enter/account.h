/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-enter/account.h: a user of the machine, as its own passwd and group files have it. They are read as bytes, from outside. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct account {
        uint32_t uid, gid;
        uint32_t *groups;
        size_t n_groups;
        char *name, *home, *shell; /* NULL: not known */
};

/* user: a name or a number; NULL: root, whom every machine has. root_fd: the machine's root directory. -errno with a sentence. */
int account_find(int root_fd, const char *user, struct account *ret, struct diag *d);
void account_done(struct account *a);
