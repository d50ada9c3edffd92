/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/ids.h: which user numbers of the host a container with a user namespace gets. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "spec/spec.h"

struct facts;

#define IDS_RANGE 65536u /* what a container gets: all 16-bit numbers */

/* Where bases are picked from; systemd keeps these free of users, too (its UIDS-GIDS document). */
#define IDS_PICK_MIN 0x00080000u
#define IDS_PICK_MAX 0x6fff0000u
#define IDS_PICK_ATTEMPTS 99u

/* May a container that picks its range have this one? (Whether it is in use is another question: a lock, a known
 * user.) */
bool ids_base_is_pickable(uint32_t base);

/* The base to try in this attempt, counted from 0: that of the tree (it may not be pickable), then one made of the
 * machine's name, so that it has the same again next time, then of `random`, any 32 bits. -EBUSY after
 * IDS_PICK_ATTEMPTS. */
int ids_pick(unsigned attempt, uint32_t tree_base, const char *machine, uint32_t random, uint32_t *ret);

/* The base that a tree has been given, from the owner of its root directory. -EINVAL with a diag: user and group
 * disagree. */
int ids_base_of_tree(uint32_t uid, uint32_t gid, uint32_t *ret, struct diag *diag);

/* On-disk owners of trees that are made for no machine in particular start here; they are always mapped. */
#define IDS_FOREIGN_BASE 2147352576u

/* Where the root directory of a tree is parked while its files are given away: who finds it there starts anew. */
#define IDS_PARKED_BASE 0xfffe0000u

/* How the tree's files come to belong to the container, decided: OWNERSHIP_OFF, _MAP, _FOREIGN or _CHOWN. From --private-users-ownership=,
 * facts->uid_base, root_uid and tree_id_mappable. */
enum ownership_mode ids_ownership(const struct spec *spec, const struct facts *facts);
/* -EINVAL with a diag: that cannot be done to this tree, or with these numbers. */
int ids_ownership_check(const struct spec *spec, const struct facts *facts, struct diag *diag);
