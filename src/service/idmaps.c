/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which machine a host id belongs to, without asking every machine.
 *
 * A user namespace's map is written once and then fixed (user_namespaces(7)), so each is read once: not while the machine registers,
 * but when there is time for it, or when the first question comes after the machine did. All of them then, for any may hold the answer,
 * or a closer one. Maps that were still empty wait in a queue of their own for the next questions. A hit is confirmed against the running leader,
 * which may have moved into another namespace meanwhile. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/uidindex.h"
#include "service/internal.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

#define READ_AHEAD_STEP 32  /* maps that are read at once where nobody waits for them: two files of each, some 5 ms */
#define UNWRITTEN_STEP 4096 /* maps that were empty and are looked at again for one question, at most */

struct queue {
        struct entry *head, *tail;
};

struct entry {
        const struct machine *machine;
        struct idmap uids, gids;
        struct queue *queue; /* it stands in; NULL: its maps are in the index */
        struct entry *previous, *next;
        bool oom;
        UT_hash_handle hh;
};

struct idmaps {
        struct entry *by_machine;
        struct queue unread, unwritten;
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

static void enqueue(struct queue *q, struct entry *e) {
        e->queue = q;
        e->next = NULL;
        e->previous = q->tail;
        if (q->tail)
                q->tail->next = e;
        else
                q->head = e;
        q->tail = e;
}

static void dequeue(struct entry *e) {
        struct queue *q = e->queue;

        if (e->previous)
                e->previous->next = e->next;
        else
                q->head = e->next;
        if (e->next)
                e->next->previous = e->previous;
        else
                q->tail = e->previous;
        e->previous = e->next = NULL;
        e->queue = NULL;
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
        enqueue(&x->unread, e);
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
        if (e->queue)
                dequeue(e);
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

/* Reads up to n of q, those that were put back meanwhile left out. */
static void read_queue(struct idmaps *x, const struct process_port *process, struct queue *q, int n) {
        struct entry *e = q->head, *next, *last = q->tail;

        for (; e && n > 0; n--, e = next) {
                next = e == last ? NULL : e->next;
                dequeue(e);
                if (!read_maps(x, process, e))
                        enqueue(&x->unwritten, e);
        }
}

bool idmaps_have_unread(const struct idmaps *x) {
        return x->unread.head;
}

bool idmaps_read_ahead(struct idmaps *x, const struct process_port *process) {
        read_queue(x, process, &x->unread, READ_AHEAD_STEP);
        return x->unread.head;
}

static bool confirm(struct idmaps *x, const struct process_port *process, struct entry *e, bool gid) {
        struct idmap now = { NULL, 0 }, *known = gid ? &e->gids : &e->uids;
        bool same;

        same = process->id_map(process->impl, &e->machine->leader, gid, &now) >= 0 && now.n_ranges == known->n_ranges &&
               memcmp(now.ranges, known->ranges, now.n_ranges * sizeof(*now.ranges)) == 0;
        idmap_done(&now);
        if (!same) {
                unindex(x, e);
                enqueue(&x->unread, e);
        }
        return same;
}

const struct machine *idmaps_find(struct idmaps *x, const struct process_port *process, bool gid, uint32_t outer,
                                  uint32_t *ret_inner) {
        /* Each failed confirmation takes an entry out of the index, so a few rounds settle it. */
        for (int round = 0; round < 4; round++) {
                const struct machine *m;
                struct entry *e = NULL;

                read_queue(x, process, &x->unwritten, UNWRITTEN_STEP);
                read_queue(x, process, &x->unread, INT_MAX);
                m = uidindex_find(gid ? x->gids : x->uids, outer, ret_inner);
                if (!m)
                        return NULL;
                HASH_FIND_PTR(x->by_machine, &m, e);
                if (e && confirm(x, process, e, gid))
                        return m;
        }
        return NULL;
}
