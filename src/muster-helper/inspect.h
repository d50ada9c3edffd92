/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-helper/inspect.h: reads the addresses and the os-release file of a machine, or of the host; opens its root. */
#pragma once

#include "base/pidref.h"
#include "codec/helper-protocol.h"

struct inspect {
        int own_netns; /* where to come back to */
        int own_root;  /* "/", for the host's os-release */
};

/* -errno when /proc or / cannot be opened at all. */
int inspect_init(struct inspect *i);

/* leader NULL: the host. Otherwise leader->fd is held: whatever was opened by number counts only if the process lived
 * after that. -EHOSTUNREACH: it shares our network. */
int inspect_addresses(struct inspect *i, const struct pidref *leader, struct helper_answer *ret);
/* The strings stay valid until the next call. -ENOENT: no os-release. */
int inspect_os_release(struct inspect *i, const struct pidref *leader, struct helper_answer *ret);
/* "/" of the machine in its own mount namespace, open for reading; the caller's. */
int inspect_open_root(struct inspect *i, const struct pidref *leader, int *ret);
