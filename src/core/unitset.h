/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/unitset.h: which scopes without a machine exist, by name and by control group. Pure. */
#pragma once

#include "core/unit.h"

struct unitset; /* opaque */

/* -ENOMEM. */
int unitset_new(struct unitset **ret);
void unitset_free(struct unitset *s); /* and every unit in it */
DEFINE_AUTO(struct unitset *, unitset_free)

/* On success *u is consumed and set to NULL, and *ret is it. Name and cgroup are final. -EEXIST: name or cgroup is taken.
 * -ENOSPC: there are UNITS_MAX. -ENOMEM. */
int unitset_add(struct unitset *s, struct unit **u, struct unit **ret);
/* Takes u out and frees it. */
void unitset_remove(struct unitset *s, struct unit *u);

/* Borrowed until the unit is removed; NULL: none. */
struct unit *unitset_find(const struct unitset *s, const char *name);
struct unit *unitset_find_cgroup(const struct unitset *s, const char *cgroup);
size_t unitset_count(const struct unitset *s);
/* In order of their coming; NULL at the end. Removing u invalidates only u. */
struct unit *unitset_first(const struct unitset *s);
struct unit *unitset_next(const struct unit *u);
