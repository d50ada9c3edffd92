/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/unitset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

struct entry {
        struct unit *unit;
        bool oom;
        UT_hash_handle by_name, by_cgroup;
};

struct unitset {
        struct entry *names, *cgroups;
};

int unitset_new(struct unitset **ret) {
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

void unitset_free(struct unitset *s) {
        if (!s)
                return;
        while (s->names)
                unitset_remove(s, s->names->unit);
        free(s);
}

static struct entry *find_name(const struct unitset *s, const char *name) {
        struct entry *e = NULL;

        HASH_FIND(by_name, s->names, name, strlen(name), e);
        return e;
}

static struct entry *find_cgroup(const struct unitset *s, const char *cgroup) {
        struct entry *e = NULL;

        HASH_FIND(by_cgroup, s->cgroups, cgroup, strlen(cgroup), e);
        return e;
}

static int insert(struct unitset *s, struct entry *e) {
        HASH_ADD_KEYPTR(by_name, s->names, e->unit->name, strlen(e->unit->name), e);
        if (e->oom)
                return -ENOMEM;
        HASH_ADD_KEYPTR(by_cgroup, s->cgroups, e->unit->cgroup, strlen(e->unit->cgroup), e);
        if (e->oom) {
                HASH_DELETE(by_name, s->names, e);
                return -ENOMEM;
        }
        return 0;
}

int unitset_add(struct unitset *s, struct unit **u, struct unit **ret) {
        struct entry *e;
        int r;

        if (find_name(s, (*u)->name) || find_cgroup(s, (*u)->cgroup))
                return -EEXIST;
        if (unitset_count(s) >= UNITS_MAX)
                return -ENOSPC;
        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->unit = *u;
        r = insert(s, e);
        if (r < 0) {
                free(e);
                return r;
        }
        e->unit->index = e;
        *ret = STEAL(*u);
        return 0;
}

void unitset_remove(struct unitset *s, struct unit *u) {
        struct entry *e = u->index;

        HASH_DELETE(by_name, s->names, e);
        HASH_DELETE(by_cgroup, s->cgroups, e);
        unit_free(u);
        free(e);
}

struct unit *unitset_find(const struct unitset *s, const char *name) {
        const struct entry *e = find_name(s, name);

        return e ? e->unit : NULL;
}

struct unit *unitset_find_cgroup(const struct unitset *s, const char *cgroup) {
        const struct entry *e = find_cgroup(s, cgroup);

        return e ? e->unit : NULL;
}

size_t unitset_count(const struct unitset *s) {
        return HASH_CNT(by_name, s->names);
}

struct unit *unitset_first(const struct unitset *s) {
        return s->names ? s->names->unit : NULL;
}

struct unit *unitset_next(const struct unit *u) {
        const struct entry *e = u->index, *next = e->by_name.next;

        return next ? next->unit : NULL;
}
