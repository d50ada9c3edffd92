/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intervals of host ids in a treap: a search tree by (start, owner) that random priorities keep balanced, each node knowing
 * the largest end below it. Ranges of different machines may overlap, so any one that holds the number is an answer. */
#include "core/uidindex.h"

#include <errno.h>
#include <stdlib.h>

struct node {
        struct node *left, *right;
        const void *owner;
        uint32_t start, inside;
        uint64_t end;     /* first number behind the range */
        uint64_t max_end; /* of this node and everything below it */
        uint64_t priority;
};

struct uidindex {
        struct node *root;
        uint64_t random;
};

void idmap_done(struct idmap *map) {
        free(map->ranges);
        *map = (struct idmap){ NULL, 0 };
}

int idmap_to_outer(const struct idmap *map, uint32_t inner, uint32_t *ret) {
        for (size_t i = 0; i < map->n_ranges; i++) {
                const struct idmap_range *g = &map->ranges[i];

                if (inner >= g->inside && inner - g->inside < g->count) {
                        *ret = g->outside + (inner - g->inside);
                        return 0;
                }
        }
        return -ESRCH;
}

int idmap_to_inner(const struct idmap *map, uint32_t outer, uint32_t *ret) {
        for (size_t i = 0; i < map->n_ranges; i++) {
                const struct idmap_range *g = &map->ranges[i];

                if (g->outside > 0 && outer >= g->outside && outer - g->outside < g->count) {
                        *ret = g->inside + (outer - g->outside);
                        return 0;
                }
        }
        return -ESRCH;
}

int idmap_simple_shift(const struct idmap *map, uint32_t *ret) {
        if (map->n_ranges != 1 || map->ranges[0].inside != 0 || map->ranges[0].count < 65534)
                return -EOPNOTSUPP;
        *ret = map->ranges[0].outside;
        return 0;
}

int uidindex_new(struct uidindex **ret) {
        struct uidindex *x = calloc(1, sizeof(*x));

        if (!x)
                return -ENOMEM;
        x->random = 0x9e3779b97f4a7c15;
        *ret = x;
        return 0;
}

static void free_nodes(struct node *n) {
        while (n) {
                struct node *right = n->right;

                free_nodes(n->left);
                free(n);
                n = right;
        }
}

void uidindex_free(struct uidindex *x) {
        if (!x)
                return;
        free_nodes(x->root);
        free(x);
}

/* Clients choose ranges, not the order of these numbers, so they cannot unbalance the tree. */
static uint64_t next_random(struct uidindex *x) {
        x->random ^= x->random << 13;
        x->random ^= x->random >> 7;
        x->random ^= x->random << 17;
        return x->random;
}

static void update(struct node *n) {
        n->max_end = n->end;
        if (n->left && n->left->max_end > n->max_end)
                n->max_end = n->left->max_end;
        if (n->right && n->right->max_end > n->max_end)
                n->max_end = n->right->max_end;
}

static int compare(const struct node *a, uint32_t start, const void *owner) {
        if (a->start != start)
                return a->start < start ? -1 : 1;
        if (a->owner != owner)
                return (uintptr_t) a->owner < (uintptr_t) owner ? -1 : 1;
        return 0;
}

static struct node *merge(struct node *left, struct node *right) {
        if (!left || !right)
                return left ? left : right;
        if (left->priority > right->priority) {
                left->right = merge(left->right, right);
                update(left);
                return left;
        }
        right->left = merge(left, right->left);
        update(right);
        return right;
}

/* Nodes before (start, owner) and the others. */
static void split(struct node *n, uint32_t start, const void *owner, struct node **ret_left, struct node **ret_right) {
        if (!n) {
                *ret_left = *ret_right = NULL;
                return;
        }
        if (compare(n, start, owner) < 0) {
                split(n->right, start, owner, &n->right, ret_right);
                *ret_left = n;
        } else {
                split(n->left, start, owner, ret_left, &n->left);
                *ret_right = n;
        }
        update(n);
}

static int add_range(struct uidindex *x, const void *owner, const struct idmap_range *g) {
        struct node *n, *left, *right;

        n = calloc(1, sizeof(*n));
        if (!n)
                return -ENOMEM;
        n->owner = owner;
        n->start = g->outside;
        n->inside = g->inside;
        n->end = (uint64_t) g->outside + g->count;
        n->priority = next_random(x);
        update(n);
        split(x->root, n->start, owner, &left, &right);
        x->root = merge(merge(left, n), right);
        return 0;
}

static struct node *remove_node(struct node *n, uint32_t start, const void *owner) {
        struct node *rest;
        int order;

        if (!n)
                return NULL;
        order = compare(n, start, owner);
        if (order == 0) {
                rest = merge(n->left, n->right);
                free(n);
                return rest;
        }
        if (order < 0)
                n->right = remove_node(n->right, start, owner);
        else
                n->left = remove_node(n->left, start, owner);
        update(n);
        return n;
}

static void remove_ranges(struct uidindex *x, const void *owner, const struct idmap *map, size_t n_ranges) {
        for (size_t i = 0; i < n_ranges; i++)
                if (map->ranges[i].outside > 0)
                        x->root = remove_node(x->root, map->ranges[i].outside, owner);
}

int uidindex_add(struct uidindex *x, const void *owner, const struct idmap *map) {
        for (size_t i = 0; i < map->n_ranges; i++) {
                if (map->ranges[i].outside == 0)
                        continue;
                if (add_range(x, owner, &map->ranges[i]) < 0) {
                        remove_ranges(x, owner, map, i);
                        return -ENOMEM;
                }
        }
        return 0;
}

void uidindex_remove(struct uidindex *x, const void *owner, const struct idmap *map) {
        remove_ranges(x, owner, map, map->n_ranges);
}

/* Where the left subtree reaches beyond `outer`, an answer is there or nowhere: a range in it that ends behind outer starts
 * no later than any range to its right, and if it starts behind outer so do all of those. */
const void *uidindex_find(const struct uidindex *x, uint32_t outer, uint32_t *ret_inner) {
        for (const struct node *n = x->root; n && n->max_end > outer;) {
                if (n->left && n->left->max_end > outer) {
                        n = n->left;
                } else if (n->start <= outer && outer < n->end) {
                        *ret_inner = n->inside + (outer - n->start);
                        return n->owner;
                } else {
                        if (n->start > outer)
                                return NULL;
                        n = n->right;
                }
        }
        return NULL;
}
