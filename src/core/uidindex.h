/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/uidindex.h: which machine a host uid or gid belongs to: intervals in a balanced tree, O(log n). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct uidindex; /* opaque */

/* One line of /proc/PID/uid_map. */
struct idmap_range {
        uint32_t inside;
        uint32_t outside;
        uint32_t count;
};

#define IDMAP_RANGES_MAX 340 /* the kernel's own limit: user_namespaces(7) */

struct idmap {
        struct idmap_range *ranges;
        size_t n_ranges;
};

void idmap_done(struct idmap *map);
/* inner -> outer by the first range that holds it. -ESRCH: none does. */
int idmap_to_outer(const struct idmap *map, uint32_t inner, uint32_t *ret);
/* outer -> inner by the first range with a non-zero outside start that holds it. -ESRCH. */
int idmap_to_inner(const struct idmap *map, uint32_t outer, uint32_t *ret);
/* The start of a "simple" map: exactly one range, inside 0, count >= 65534. -EOPNOTSUPP otherwise. */
int idmap_simple_shift(const struct idmap *map, uint32_t *ret);

int uidindex_new(struct uidindex **ret);
void uidindex_free(struct uidindex *x);
/* Adds the ranges of owner with a non-zero outside start. owner is an opaque key. -ENOMEM: nothing was added. */
int uidindex_add(struct uidindex *x, const void *owner, const struct idmap *map);
void uidindex_remove(struct uidindex *x, const void *owner, const struct idmap *map);
/* An owner whose range holds outer; NULL: none. *ret_inner is the number inside. */
const void *uidindex_find(const struct uidindex *x, uint32_t outer, uint32_t *ret_inner);
