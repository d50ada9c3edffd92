/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/registry.h: which machines exist. Pure: no I/O, no clock, no log. Every call is O(1) in the number of machines
 * but registry_check() and iteration. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/machine.h"

struct registry; /* opaque */

#define REGISTRY_MAX_MACHINES 65536
#define REGISTRY_MAX_PER_OWNER 4096 /* for owners other than root */

/* seed: random number that keeps hash chains unpredictable to clients. -ENOMEM. */
int registry_new(uint64_t seed, struct registry **ret);
void registry_free(struct registry *r); /* and every machine in it */

/* On success *m is consumed and set to NULL; the registry's pointer is *ret_m (may be NULL). Of the record, name, leader,
 * unit, subgroup and uid must be final: change them only through the calls below.
 * -EEXIST: the name is taken. -EBUSY: the leader is registered already. -EADDRINUSE: another machine owns the whole unit.
 * -EDQUOT: the owner has too many. -ENOSPC: there are too many. -ENOMEM. On failure *m stays the caller's. */
int registry_add(struct registry *r, struct machine **m, struct machine **ret_m);
/* Takes m out and frees it. */
void registry_remove(struct registry *r, struct machine *m);

/* Sets unit, subgroup (copied, may be NULL) after the machine was added. -EADDRINUSE as above, -ENOMEM. */
int registry_set_unit(struct registry *r, struct machine *m, const char *unit, const char *subgroup);

/* Borrowed until the machine is removed; NULL: none. */
struct machine *registry_find(const struct registry *r, const char *name);
struct machine *registry_find_leader(const struct registry *r, pid_t leader);
/* The machine that owns the whole unit. */
struct machine *registry_find_unit(const struct registry *r, const char *unit);

size_t registry_count(const struct registry *r);
size_t registry_count_owner(const struct registry *r, uid_t uid);

/* In order of registration; NULL at the end. Removing m invalidates only m. */
struct machine *registry_first(const struct registry *r);
struct machine *registry_next(const struct registry *r, const struct machine *m);

/* 0, or -ENOTRECOVERABLE with a sentence in ret (size bytes) when an index and the records disagree. */
int registry_check(const struct registry *r, char *ret, size_t size);
