/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry: one entry for each machine, found through three hash tables (name, leader, whole unit) and counted for its
 * owner. The tables are uthash with hash values of our own, keyed by a random seed: uthash's functions are not, and the
 * names come from clients. */
#include "core/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

struct owner {
        uid_t uid;
        size_t count;
        bool oom;
        UT_hash_handle hh;
};

struct entry {
        struct machine *machine;
        struct owner *owner;
        bool oom, in_unit;
        UT_hash_handle by_name, by_leader, by_unit;
};

struct registry {
        uint64_t seed;
        size_t count;
        struct entry *names, *leaders, *units; /* heads of the tables */
        struct owner *owners;
};

/* FNV-1a over the seed and the key, finished by a mix so that every bit reaches the bucket number. */
static unsigned hash_bytes(const struct registry *r, const void *key, size_t size) {
        const uint8_t *p = key;
        uint64_t h = 0xcbf29ce484222325 ^ r->seed;

        for (size_t i = 0; i < size; i++)
                h = (h ^ p[i]) * 0x100000001b3 + (h >> 29);
        h ^= r->seed >> 17;
        h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
        return (unsigned) (h ^ (h >> 33));
}

int registry_new(uint64_t seed, struct registry **ret) {
        struct registry *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->seed = seed;
        *ret = r;
        return 0;
}

void registry_free(struct registry *r) {
        struct machine *m, *next;

        if (!r)
                return;
        for (m = registry_first(r); m; m = next) {
                next = registry_next(r, m);
                registry_remove(r, m);
        }
        free(r);
}

/* ---- finding ---- */

static struct entry *find_name(const struct registry *r, const char *name) {
        size_t n = strlen(name);
        struct entry *e = NULL;

        HASH_FIND_BYHASHVALUE(by_name, r->names, name, n, hash_bytes(r, name, n), e);
        return e;
}

static struct entry *find_leader(const struct registry *r, pid_t leader) {
        struct entry *e = NULL;

        HASH_FIND_BYHASHVALUE(by_leader, r->leaders, &leader, sizeof(leader), hash_bytes(r, &leader, sizeof(leader)),
                              e);
        return e;
}

static struct entry *find_unit(const struct registry *r, const char *unit) {
        size_t n = strlen(unit);
        struct entry *e = NULL;

        HASH_FIND_BYHASHVALUE(by_unit, r->units, unit, n, hash_bytes(r, unit, n), e);
        return e;
}

static struct owner *find_owner(const struct registry *r, uid_t uid) {
        struct owner *o = NULL;

        HASH_FIND_BYHASHVALUE(hh, r->owners, &uid, sizeof(uid), hash_bytes(r, &uid, sizeof(uid)), o);
        return o;
}

struct machine *registry_find(const struct registry *r, const char *name) {
        struct entry *e = find_name(r, name);

        return e ? e->machine : NULL;
}

struct machine *registry_find_leader(const struct registry *r, pid_t leader) {
        struct entry *e = find_leader(r, leader);

        return e ? e->machine : NULL;
}

struct machine *registry_find_unit(const struct registry *r, const char *unit) {
        struct entry *e = find_unit(r, unit);

        return e ? e->machine : NULL;
}

size_t registry_count(const struct registry *r) {
        return r->count;
}

size_t registry_count_owner(const struct registry *r, uid_t uid) {
        struct owner *o = find_owner(r, uid);

        return o ? o->count : 0;
}

struct machine *registry_first(const struct registry *r) {
        return r->names ? r->names->machine : NULL;
}

struct machine *registry_next(const struct registry *r, const struct machine *m) {
        const struct entry *e = m->entry, *next = e->by_name.next;

        return next ? next->machine : NULL;
}

/* ---- the parts of adding and taking out, each undone by its counterpart ---- */

static int index_name(struct registry *r, struct entry *e) {
        const char *name = e->machine->name;
        size_t n = strlen(name);

        HASH_ADD_KEYPTR_BYHASHVALUE(by_name, r->names, name, n, hash_bytes(r, name, n), e);
        return e->oom ? -ENOMEM : 0;
}

static int index_leader(struct registry *r, struct entry *e) {
        const pid_t *leader = &e->machine->leader.pid;

        HASH_ADD_KEYPTR_BYHASHVALUE(by_leader, r->leaders, leader, sizeof(*leader),
                                    hash_bytes(r, leader, sizeof(*leader)), e);
        return e->oom ? -ENOMEM : 0;
}

static int index_unit(struct registry *r, struct entry *e) {
        const char *unit = e->machine->unit;
        size_t n;

        if (!machine_owns_unit(e->machine))
                return 0;
        n = strlen(unit);
        HASH_ADD_KEYPTR_BYHASHVALUE(by_unit, r->units, unit, n, hash_bytes(r, unit, n), e);
        if (e->oom)
                return -ENOMEM;
        e->in_unit = true;
        return 0;
}

static void unindex_unit(struct registry *r, struct entry *e) {
        if (e->in_unit)
                HASH_DELETE(by_unit, r->units, e);
        e->in_unit = false;
}

static int count_owner(struct registry *r, struct entry *e) {
        struct owner *o = find_owner(r, e->machine->uid);

        if (!o) {
                o = calloc(1, sizeof(*o));
                if (!o)
                        return -ENOMEM;
                o->uid = e->machine->uid;
                HASH_ADD_KEYPTR_BYHASHVALUE(hh, r->owners, &o->uid, sizeof(o->uid),
                                            hash_bytes(r, &o->uid, sizeof(o->uid)), o);
                if (o->oom) {
                        free(o);
                        return -ENOMEM;
                }
        }
        o->count++;
        e->owner = o;
        return 0;
}

static void uncount_owner(struct registry *r, struct entry *e) {
        struct owner *o = e->owner;

        if (--o->count > 0)
                return;
        HASH_DEL(r->owners, o);
        free(o);
}

static int may_add(const struct registry *r, const struct machine *m) {
        if (find_name(r, m->name))
                return -EEXIST;
        if (find_leader(r, m->leader.pid))
                return -EBUSY;
        if (machine_owns_unit(m) && find_unit(r, m->unit))
                return -EADDRINUSE;
        if (r->count >= REGISTRY_MAX_MACHINES)
                return -ENOSPC;
        if (m->uid != 0 && registry_count_owner(r, m->uid) >= REGISTRY_MAX_PER_OWNER)
                return -EDQUOT;
        return 0;
}

int registry_add(struct registry *r, struct machine **m, struct machine **ret_m) {
        struct entry *e;
        int error;

        error = may_add(r, *m);
        if (error < 0)
                return error;
        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->machine = *m;
        if (count_owner(r, e) < 0)
                goto free_entry;
        if (index_name(r, e) < 0)
                goto uncount;
        if (index_leader(r, e) < 0)
                goto unindex_name;
        if (index_unit(r, e) < 0)
                goto unindex_leader;
        (*m)->entry = e;
        r->count++;
        if (ret_m)
                *ret_m = *m;
        *m = NULL;
        return 0;

unindex_leader:
        HASH_DELETE(by_leader, r->leaders, e);
unindex_name:
        HASH_DELETE(by_name, r->names, e);
uncount:
        uncount_owner(r, e);
free_entry:
        free(e);
        return -ENOMEM;
}

void registry_remove(struct registry *r, struct machine *m) {
        struct entry *e = m->entry;

        unindex_unit(r, e);
        HASH_DELETE(by_leader, r->leaders, e);
        HASH_DELETE(by_name, r->names, e);
        uncount_owner(r, e);
        r->count--;
        free(e);
        machine_free(m);
}

int registry_set_unit(struct registry *r, struct machine *m, const char *unit, const char *subgroup) {
        AUTO_FREE char *new_unit = NULL, *new_subgroup = NULL;
        struct entry *e = m->entry, *other = unit && isempty(subgroup) ? find_unit(r, unit) : NULL;

        if (other && other != e)
                return -EADDRINUSE;
        if (str_dup_nonempty(unit, &new_unit) < 0 || str_dup_nonempty(subgroup, &new_subgroup) < 0)
                return -ENOMEM;
        unindex_unit(r, e);
        free(m->unit);
        free(m->subgroup);
        m->unit = STEAL(new_unit);
        m->subgroup = STEAL(new_subgroup);
        return index_unit(r, e);
}

/* ---- the invariants ---- */

static const char *check_entry(const struct registry *r, const struct machine *m) {
        const struct entry *e = m->entry;

        if (!e || e->machine != m)
                return "an entry does not point at its machine";
        if (m->state == MACHINE_GONE)
                return "a machine that is gone is still there";
        if (find_name(r, m->name) != e)
                return "a machine is not found by its name";
        if (m->leader.pid <= 0 || find_leader(r, m->leader.pid) != e)
                return "a machine is not found by its leader";
        if (machine_owns_unit(m) != e->in_unit || (e->in_unit && find_unit(r, m->unit) != e))
                return "a machine is not found by its unit";
        if (!e->owner || e->owner->uid != m->uid || find_owner(r, m->uid) != e->owner)
                return "a machine is counted for somebody else";
        return NULL;
}

static const char *check_counts(const struct registry *r, size_t machines, size_t units) {
        const struct owner *o;
        size_t owned = 0;

        for (o = r->owners; o; o = o->hh.next) {
                if (o->count == 0)
                        return "an owner without machines is kept";
                owned += o->count;
        }
        if (machines != r->count || owned != r->count)
                return "the count of machines is wrong";
        if (HASH_CNT(by_leader, r->leaders) != machines || HASH_CNT(by_unit, r->units) != units)
                return "an index holds an entry of no machine";
        return NULL;
}

int registry_check(const struct registry *r, char *ret, size_t size) {
        const char *wrong = NULL, *name = "";
        size_t machines = 0, units = 0;

        for (struct machine *m = registry_first(r); m && !wrong; m = registry_next(r, m)) {
                wrong = check_entry(r, m);
                name = m->name;
                machines++;
                units += machine_owns_unit(m);
        }
        if (!wrong) {
                wrong = check_counts(r, machines, units);
                name = "";
        }
        if (!wrong)
                return 0;
        snprintf(ret, size, "%s%s%s", wrong, *name ? ": " : "", name);
        return -ENOTRECOVERABLE;
}
