/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/fetch.h: machines from the daemon, or from the records on disk when no daemon runs. */
#pragma once

#include <stdbool.h>

#include "codec/machine-view.h"
#include "muster/options.h"

struct machine_list {
        struct machine_view *views; /* sorted by name */
        size_t n;
        bool from_daemon;
};

/* metadata: addresses, os-release and the like too (only a daemon knows them). Says what went wrong; 0 or -1. */
int fetch_all(const struct options *o, bool metadata, struct machine_list *ret);
void machine_list_done(struct machine_list *l);

enum fetch_result {
        FETCH_FOUND,
        FETCH_NO_MACHINE,
        FETCH_BROKEN_OFF, /* the registry went away in the middle; only when quiet */
        FETCH_FAILED,     /* said so */
};

/* One machine, its record on disk consulted for what the reply leaves out. ret_from_daemon may be NULL. quiet: do not
 * complain of a machine that is not there, or of a registry that is being restarted. */
enum fetch_result fetch_one(const struct options *o, const char *name, bool metadata, bool quiet,
                            struct machine_view *ret, bool *ret_from_daemon);

/* The name is one that a machine can have, or ".host"; says so when not. */
bool name_is_usable(const char *name);
