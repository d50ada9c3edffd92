/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-hook/tell.h: a container starts or has ended, and the registry is told. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "core/name.h"
#include "muster-hook/options.h"

#define CONTAINER_NAMES_MAX 2

/* Texts are borrowed; NULL: not known. */
struct container {
        const char *shown;                                     /* the manager's name for it, safe to print */
        char names[CONTAINER_NAMES_MAX][MACHINE_NAME_MAX + 1]; /* what it may be called, best first */
        size_t n_names;
        const char *service;
        const char *root;
        const char *id;
        pid_t pid; /* when it starts */
};

/* Appends a name to try, made fit for the registry; one that is there already is not added. */
void container_add_name(struct container *c, const char *foreign);

/* Registers it by the first of its names that nobody has. 0: it is registered, perhaps was before. -1: it is not, and why has
 * been said. */
int tell_start(const struct options *o, const struct container *c);

/* Unregisters what is registered by one of its names, by the same service, with a leader that has ended: a name alone proves
 * nothing, since another machine may have it. 0: nothing of it is left. -1: that failed, and why has been said. */
int tell_stop(const struct options *o, const struct container *c);
