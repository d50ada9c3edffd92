/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --link-journal=: the journal of the machine, readable on the host. Either the machine keeps it and the host has a link to it, or the
 * host keeps it and the machine writes there. What is made on the host stays, as the journal does. */
#include <errno.h>

#include "base/id128.h"
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define JOURNAL "/var/log/journal"
#define WHY "--link-journal"

struct journal {
        struct chapter *c;
        struct diag *diag;
        bool try;         /* what cannot be done is left */
        const char *path; /* of this machine's journal, the same in the container and on the host */
};

static int cannot(struct journal *j, const char *reason) {
        if (!j->try)
                return diag_set(j->diag, -EINVAL, WHY, "%s", reason);
        return 0;
}

static void make_in_tree(struct journal *j, const char *path) {
        struct step *s = plan_add(j->c->plan, PHASE_CHILD, STEP_NODE, WHY);

        s->target = path;
        s->node = (struct step_node){ .type = NODE_DIRECTORY, .mode = 0755 };
        s->flags = STEP_CREATE | STEP_MAY_FAIL; /* what needs it will fail, and say so */
}

static int link_to_guest(struct journal *j) {
        const char *in_tree = plan_printf(j->c->plan, "%s%s", j->c->facts->root, j->path);
        struct step *s;

        switch (j->c->facts->journal) {
        case JOURNAL_NO_BASE:
                return cannot(j, "guest: the host has no " JOURNAL " that a link can be made in");
        case JOURNAL_OTHER:
                return cannot(j, "guest: where the link should be the host has a file or a mount point");
        default:
                break;
        }
        s = plan_add(j->c->plan, PHASE_HOST, STEP_JOURNAL_LINK, WHY);
        s->tree = TREE_NONE;
        s->source = in_tree;
        s->target = j->path;
        s->flags = j->try ? STEP_MAY_FAIL : 0;
        make_in_tree(j, j->path);
        return 0;
}

static void bind_from_host(struct journal *j) {
        int tree = plan_new_tree(j->c->plan);
        struct step *s = plan_add(j->c->plan, PHASE_HOST, STEP_TREE_OPEN, WHY);

        s->tree = tree;
        s->source = j->path;
        if (j->c->users && j->c->base != 0) {
                s = plan_add(j->c->plan, PHASE_IDS, STEP_TREE_IDMAP, WHY);
                s->tree = tree;
                s->number[0] = IDMAP_ROOT;
        }
        make_in_tree(j, j->path);
        s = plan_add(j->c->plan, PHASE_CHILD, STEP_ATTACH, WHY);
        s->tree = tree;
        s->target = j->path;
        s->flags = STEP_CREATE | (j->try ? STEP_MAY_FAIL : 0);
}

static int keep_on_host(struct journal *j) {
        struct step *s;

        switch (j->c->facts->journal) {
        case JOURNAL_NO_BASE:
                return cannot(j, "host: the host has no " JOURNAL
                                 " that the machine's journal can be kept in, and shown from");
        case JOURNAL_OTHER:
                return cannot(j, "host: where the journal should be the host has a file or a mount point");
        default:
                break;
        }
        s = plan_add(j->c->plan, PHASE_HOST, STEP_JOURNAL_DIR, WHY);
        s->tree = TREE_NONE;
        s->target = j->path;
        s->node.mode = 0755;
        bind_from_host(j);
        return 0;
}

/* Goes on with what has been begun: a directory on the host is used, a link to the machine's is served. */
static void as_before(struct journal *j) {
        const char *in_tree = plan_printf(j->c->plan, "%s%s", j->c->facts->root, j->path);

        if (j->c->facts->journal == JOURNAL_DIRECTORY)
                bind_from_host(j);
        else if (j->c->facts->journal == JOURNAL_LINK && streq_ptr(j->c->facts->journal_link, in_tree))
                make_in_tree(j, j->path);
}

int plan_journal(struct chapter *c, struct diag *diag) {
        enum link_journal mode = c->spec->link_journal;
        struct journal j = { .c = c, .diag = diag };
        char id[ID128_STRING_SIZE];

        j.try = mode != LINK_JOURNAL_GUEST && mode != LINK_JOURNAL_HOST;
        if (mode == LINK_JOURNAL_NO)
                return 0;
        if (c->spec->ephemeral)
                return cannot(&j,
                              "what an ephemeral machine (--ephemeral) has written is gone with it; use try-guest or "
                              "try-host");
        if (id128_is_null(&c->facts->machine_id)) {
                if (j.try) /* the tree's own directory is made all the same: the machine may want to keep a journal */
                        make_in_tree(&j, JOURNAL);
                return cannot(&j, "the host has no machine id (/etc/machine-id), which journals are told apart by");
        }
        if (id128_equal(&c->facts->machine_id, &c->facts->uuid)) {
                if (j.try && c->warn)
                        c->warn(WHY
                                ": the machine has the machine id of the host, so that their journals are not linked",
                                c->userdata);
                return cannot(
                        &j, "the machine has the machine id of the host, so that their journals cannot be told apart");
        }
        j.path = plan_printf(c->plan, JOURNAL "/%s", id128_to_string(&c->facts->uuid, id));
        make_in_tree(&j, JOURNAL);
        switch (mode) {
        case LINK_JOURNAL_GUEST:
        case LINK_JOURNAL_TRY_GUEST:
                return link_to_guest(&j);
        case LINK_JOURNAL_HOST:
        case LINK_JOURNAL_TRY_HOST:
                return keep_on_host(&j);
        default:
                as_before(&j);
                return 0;
        }
}
