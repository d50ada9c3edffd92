/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec and facts to plan: the order of the chapters, and the namespaces. */
#include <stdlib.h>

#include "base/auto.h"
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/ids.h"
#include "plan/plan-check.h"
#include "plan/plan.h"
#include "spec/spec.h"

static uint64_t namespaces(const struct chapter *c) {
        const struct spec *s = c->spec;
        uint64_t flags = PLAN_CLONE_NEWNS;

        if (!s->share_ipc)
                flags |= PLAN_CLONE_NEWIPC;
        if (!s->share_pid)
                flags |= PLAN_CLONE_NEWPID;
        if (!s->share_uts)
                flags |= PLAN_CLONE_NEWUTS;
        if (s->network.private_network && !s->network.namespace_path)
                flags |= PLAN_CLONE_NEWNET;
        if (c->users)
                flags |= PLAN_CLONE_NEWUSER;
        return flags;
}

/* The next program that PID 1 starts would get the label that is meant for the payload; and its filter may keep it from starting. */
static bool stub_is_program(const struct spec *s, const struct facts *f) {
        bool denies = false;

        for (size_t i = 0; i < s->n_syscall_rules; i++)
                denies |= s->syscall_rules[i].deny;
        return s->start_mode == START_PID2 && f->starts_bare && !s->selinux_context && !denies;
}

/* A stub init stays, and would stay in the runner; who shares memory shares its score, too (oom_score_adj: proc(5)). */
static bool may_share_memory(const struct spec *s, const struct plan *p) {
        return (s->start_mode != START_PID2 || p->stub_is_program) && !s->oom_score_adjust_set;
}

static bool has_custom_root(const struct spec *s) {
        for (size_t i = 0; i < s->n_mounts; i++)
                if (streq(s->mounts[i].destination, "/"))
                        return true;
        return false;
}

static void ownership(struct chapter *c) {
        enum ownership_mode mode = ids_ownership(c->spec, c->facts);

        c->map_owners = mode == OWNERSHIP_MAP || mode == OWNERSHIP_FOREIGN;
        c->on_disk = mode == OWNERSHIP_FOREIGN ? IDS_FOREIGN_BASE : 0;
        c->give_away = mode == OWNERSHIP_CHOWN && !c->custom_root;
}

/* The former root is put in its place before the file systems of the container interface, which would cover it there. */
static int check_former_root(struct chapter *c, struct diag *diag) {
        static const char *const taken[] = { "/proc/", "/sys/", "/dev/", "/run/", "/tmp/" };
        const char *place = c->spec->pivot_root_old;
        bool covered = place && c->spec->volatile_mode == VOLATILE_STATE && startswith(place, "/var/");

        for (size_t i = 0; place && i < ELEMENTS(taken); i++)
                covered |= startswith(place, taken[i]) != NULL;
        if (!covered)
                return 0;
        return diag_set(diag, -EINVAL, "--pivot-root",
                        "%s: a file system of the container's own would hide it: name a place elsewhere",
                        plan_shown(c->plan, place));
}

static void id_map(struct chapter *c) {
        struct step *s;

        if (!c->users)
                return;
        s = plan_add(c->plan, PHASE_IDS, STEP_ID_MAP, "--private-users");
        s->number[0] = c->base;
        s->number[1] = c->facts->uid_count;
}

/* Chapters write host and child steps side by side; carried out they are phase by phase. Keeps the order inside a phase. */
static void sort_by_phase(struct plan *p) {
        unsigned *places = reallocarray(NULL, p->n_steps + 1, sizeof(*places)), n = 0; /* where each step goes */

        if (!places) {
                p->error = -ENOMEM;
                return;
        }
        for (int phase = 0; phase < _PHASE_MAX; phase++)
                for (size_t i = 0; i < p->n_steps; i++)
                        if ((int) p->steps[i].phase == phase)
                                places[i] = n++;
        for (size_t i = 0; i < p->n_steps; i++)
                while (places[i] != i) { /* each turn puts one where it goes */
                        unsigned to = places[i];
                        struct step s = p->steps[to];

                        p->steps[to] = p->steps[i];
                        p->steps[i] = s;
                        places[i] = places[to];
                        places[to] = to;
                }
        free(places);
}

static int chapters(struct chapter *c, struct diag *diag) {
        int r;

        r = check_former_root(c, diag);
        if (r >= 0)
                r = plan_check_labels(c->spec, c->facts, diag);
        if (r < 0)
                return r;
        id_map(c);
        plan_root_trees(c);
        r = plan_mount_sources(c, diag);
        if (r < 0)
                return r;
        plan_root_enter(c);
        plan_api_first(c);
        plan_dev_tree(c);
        plan_run_tree(c);
        plan_api_second(c);
        plan_cgroup(c);
        plan_mount_targets(c);
        plan_files(c);
        r = plan_journal(c, diag);
        if (r < 0)
                return r;
        plan_labels(c);
        return plan_payload(c, diag);
}

int plan_build(const struct spec *spec, const struct facts *facts, void (*warn)(const char *text, void *userdata),
               void *userdata, struct plan *ret, struct diag *diag) {
        struct plan plan = { .n_trees = TREE_FIRST_EXTRA };
        struct chapter c = {
                .spec = spec,
                .facts = facts,
                .plan = &plan,
                .users = spec->users_mode != USERS_NO,
                .network = spec->network.private_network || spec->api_network,
                .etc_writable = !spec->read_only || spec->volatile_mode == VOLATILE_YES ||
                                spec->volatile_mode == VOLATILE_OVERLAY,
                .custom_root = has_custom_root(spec),
                .base = spec->users_mode == USERS_NO ? 0 : facts->uid_base,
                .warn = warn,
                .userdata = userdata,
        };
        int r;

        if (spec->volatile_mode == VOLATILE_STATE)
                c.etc_writable = false;
        ownership(&c);
        plan.clone_flags = namespaces(&c);
        plan.stub_is_program = stub_is_program(spec, facts);
        plan.shares_memory = may_share_memory(spec, &plan);
        r = chapters(&c, diag);
        sort_by_phase(&plan);
        if (r >= 0 && plan.error < 0)
                r = plan.error;
        if (r >= 0 && plan.n_trees > TREE_MAX)
                r = diag_set(diag, -E2BIG, NULL, "more mounts than can be made: at most %d", TREE_MAX);
        if (r >= 0)
                r = plan_check(&plan, diag);
        if (r < 0) {
                plan_done(&plan);
                return r;
        }
        *ret = plan;
        return 0;
}
