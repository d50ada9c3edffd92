/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which machine a host id belongs to, without asking every machine.
 *
 * A user namespace's map is written once and then fixed (user_namespaces(7)), so each is read once: when the first question
 * comes after the machine did, not while it registers. Maps that are still empty then stay in the queue. A hit is
 * confirmed against the running leader, which may have moved into another namespace meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/uidindex.h"
#include "service/internal.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

#define QUEUE_STEP 4096 /* unread maps looked at for one question, at most */

struct entry {
        const struct machine *machine;
        struct idmap uids, gids;
        struct entry *previous, *next; /* in the queue of unread maps */
        bool queued, oom;
        UT_hash_handle hh;
};

struct idmaps {
        struct entry *by_machine;
        struct entry *queue_head, *queue_tail;
        struct uidindex *uids, *gids;
};

int idmaps_new(struct idmaps **ret) {
        struct idmaps *x = calloc(1, sizeof(*x));

        if (!x)
                return -ENOMEM;
        if (uidindex_new(&x->uids) < 0 || uidindex_new(&x->gids) < 0) {
                idmaps_free(x);
                return -ENOMEM;
        }
        *ret = x;
        return 0;
}

static void entry_free(struct entry *e) {
        idmap_done(&e->uids);
        idmap_done(&e->gids);
        free(e);
}

void idmaps_free(struct idmaps *x) {
        struct entry *e, *next;

        if (!x)
                return;
        HASH_ITER (hh, x->by_machine, e, next) {
                HASH_DEL(x->by_machine, e);
                entry_free(e);
        }
        uidindex_free(x->uids);
        uidindex_free(x->gids);
        free(x);
}

static void enqueue(struct idmaps *x, struct entry *e) {
        e->queued = true;
        e->next = NULL;
        e->previous = x->queue_tail;
        if (x->queue_tail)
                x->queue_tail->next = e;
        else
                x->queue_head = e;
        x->queue_tail = e;
}

static void dequeue(struct idmaps *x, struct entry *e) {
        if (e->previous)
                e->previous->next = e->next;
        else
                x->queue_head = e->next;
        if (e->next)
                e->next->previous = e->previous;
        else
                x->queue_tail = e->previous;
        e->previous = e->next = NULL;
        e->queued = false;
}

int idmaps_add(struct idmaps *x, const struct machine *m) {
        struct entry *e;

        if (m->class != MACHINE_CONTAINER)
                return 0;
        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->machine = m;
        HASH_ADD_PTR(x->by_machine, machine, e);
        if (e->oom) {
                free(e);
                return -ENOMEM;
        }
        enqueue(x, e);
        return 0;
}

static void unindex(struct idmaps *x, struct entry *e) {
        uidindex_remove(x->uids, e->machine, &e->uids);
        uidindex_remove(x->gids, e->machine, &e->gids);
        idmap_done(&e->uids);
        idmap_done(&e->gids);
        e->uids = e->gids = (struct idmap){ NULL, 0 };
}

void idmaps_remove(struct idmaps *x, const struct machine *m) {
        struct entry *e = NULL;

        HASH_FIND_PTR(x->by_machine, &m, e);
        if (!e)
                return;
        if (e->queued)
                dequeue(x, e);
        unindex(x, e);
        HASH_DEL(x->by_machine, e);
        entry_free(e);
}

/* Reads both maps of e. False: they are not written yet (or the leader is dying): ask again another time. */
static bool read_maps(struct idmaps *x, const struct process_port *process, struct entry *e) {
        struct idmap uids = { NULL, 0 }, gids = { NULL, 0 };
        bool complete;

        complete = process->id_map(process->impl, &e->machine->leader, false, &uids) >= 0 && uids.n_ranges > 0 &&
                   process->id_map(process->impl, &e->machine->leader, true, &gids) >= 0 && gids.n_ranges > 0;
        if (complete && uidindex_add(x->uids, e->machine, &uids) < 0)
                complete = false;
        if (complete && uidindex_add(x->gids, e->machine, &gids) < 0) {
                uidindex_remove(x->uids, e->machine, &uids);
                complete = false;
        }
        if (!complete) {
                idmap_done(&uids);
                idmap_done(&gids);
                return false;
        }
        e->uids = uids;
        e->gids = gids;
        return true;
}

static void read_queue(struct idmaps *x, const struct process_port *process) {
        struct entry *e = x->queue_head, *next, *last = x->queue_tail;

        for (int n = 0; e && n < QUEUE_STEP; n++, e = next) {
                bool at_end = e == last;

                next = e->next;
                dequeue(x, e);
                if (!read_maps(x, process, e))
                        enqueue(x, e);
                if (at_end)
                        break;
        }
}

static bool confirm(struct idmaps *x, const struct process_port *process, struct entry *e, bool gid) {
        struct idmap now = { NULL, 0 }, *known = gid ? &e->gids : &e->uids;
        bool same;

        same = process->id_map(process->impl, &e->machine->leader, gid, &now) >= 0 && now.n_ranges == known->n_ranges &&
               memcmp(now.ranges, known->ranges, now.n_ranges * sizeof(*now.ranges)) == 0;
        idmap_done(&now);
        if (!same) {
                unindex(x, e);
                enqueue(x, e);
        }
        return same;
}

const struct machine *idmaps_find(struct idmaps *x, const struct process_port *process, bool gid, uint32_t outer,
                                  uint32_t *ret_inner) {
        /* Each failed confirmation takes an entry out of the index, so a few rounds settle it. */
        for (int round = 0; round < 4; round++) {
                const struct machine *m;
                struct entry *e = NULL;

                read_queue(x, process);
                m = uidindex_find(gid ? x->gids : x->uids, outer, ret_inner);
                if (!m)
                        return NULL;
                HASH_FIND_PTR(x->by_machine, &m, e);
                if (e && confirm(x, process, e, gid))
                        return m;
        }
        return NULL;
}
