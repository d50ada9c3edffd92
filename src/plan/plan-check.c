/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan is walked once, step by step; what came before is remembered, and each rule looks at one step in that light. Chapters
 * are written apart from each other: here is what must hold when they are put together. A wrong order would rarely fail when it
 * is carried out; it would leave a door open. */
#include "plan/plan-check.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "plan/plan.h"

#define CAP_SYS_ADMIN_BIT (UINT64_C(1) << 21)

/* What is true of all steps of a kind. */
enum {
        PATH = 1 << 0,         /* target: an absolute path */
        IN_TREE = 1 << 1,      /* target: a path inside of a tree, relative and without ".." */
        TREE = 1 << 2,         /* works on a tree */
        MAKES = 1 << 3,        /* ... which it makes */
        USES = 1 << 4,         /* ... which it puts in its place */
        MOUNTS = 1 << 5,       /* covers what is at target and below */
        CAN_FAIL = 1 << 6,     /* STEP_MAY_FAIL is allowed: nothing that keeps the container in depends on it */
        ALWAYS = 1 << 7,       /* every plan has one */
        ONCE = 1 << 8,         /* no plan has two */
        UNPRIVILEGED = 1 << 9, /* works without capabilities, as whoever the payload is */
        ON_HOST = 1 << 10,     /* leaves something that somebody else can see */
        OWN_MEMORY = 1 << 11,  /* would do it to the runner, too, if their memory were the same */
};

static const struct {
        enum phase phase;
        unsigned traits;
} kinds[_STEP_MAX] = {
        [STEP_TREE_CHOWN] = { PHASE_HOST, PATH | ONCE },
        [STEP_TREE_OPEN] = { PHASE_HOST, TREE | MAKES | CAN_FAIL },
        [STEP_TREE_NEW] = { PHASE_HOST, TREE | MAKES },
        [STEP_TREE_OVERLAY] = { PHASE_HOST, TREE | MAKES },
        [STEP_TREE_NODE] = { PHASE_HOST, TREE | IN_TREE | CAN_FAIL },
        [STEP_TREE_SOCKET] = { PHASE_HOST, TREE | IN_TREE | ONCE },
        [STEP_HOST_DIR] = { PHASE_HOST, PATH | CAN_FAIL | ON_HOST },
        [STEP_JOURNAL_DIR] = { PHASE_HOST, PATH | ONCE },
        [STEP_JOURNAL_LINK] = { PHASE_HOST, PATH | ONCE | CAN_FAIL },
        [STEP_ID_MAP] = { PHASE_IDS, ONCE },
        [STEP_TREE_IDMAP] = { PHASE_IDS, TREE },
        [STEP_BECOME_ROOT] = { PHASE_CHILD, ONCE },
        [STEP_JOIN_NETWORK] = { PHASE_HOST, ONCE },
        [STEP_PRIVATE] = { PHASE_CHILD, ALWAYS | ONCE },
        [STEP_ENTER_ROOT] = { PHASE_CHILD, TREE | USES | ALWAYS | ONCE },
        [STEP_DETACH_OLD_ROOT] = { PHASE_CHILD, ALWAYS | ONCE },
        [STEP_CGROUP_NAMESPACE] = { PHASE_CHILD, ONCE },
        [STEP_NODE] = { PHASE_CHILD, PATH | CAN_FAIL },
        [STEP_REMOVE] = { PHASE_CHILD, PATH | CAN_FAIL },
        [STEP_WRITE] = { PHASE_CHILD, PATH | CAN_FAIL },
        [STEP_MOUNT] = { PHASE_CHILD, PATH | MOUNTS | CAN_FAIL },
        [STEP_ATTACH] = { PHASE_CHILD, PATH | TREE | USES | MOUNTS | CAN_FAIL },
        [STEP_BIND] = { PHASE_CHILD, PATH | MOUNTS },
        [STEP_REMOUNT] = { PHASE_CHILD, PATH },
        [STEP_UNMOUNT] = { PHASE_CHILD, PATH },
        [STEP_SHARED] = { PHASE_CHILD, ONCE },
        [STEP_SLAVE] = { PHASE_CHILD, PATH | CAN_FAIL },
        [STEP_HOSTNAME] = { PHASE_CHILD, ONCE },
        [STEP_LOOPBACK] = { PHASE_CHILD, ONCE },
        [STEP_SYSCTL] = { PHASE_CHILD, PATH | CAN_FAIL },
        [STEP_CONSOLE] = { PHASE_CHILD, ONCE },
        [STEP_RLIMITS] = { PHASE_FINAL, ALWAYS | ONCE },
        [STEP_OOM_SCORE] = { PHASE_FINAL, ONCE | OWN_MEMORY },
        [STEP_CPU_AFFINITY] = { PHASE_FINAL, ONCE },
        [STEP_PERSONALITY] = { PHASE_FINAL, ONCE },
        [STEP_EXEC_LABEL] = { PHASE_FINAL, ONCE },
        [STEP_HOME] = { PHASE_FINAL, PATH | CAN_FAIL },
        [STEP_IDENTITY] = { PHASE_FINAL, ALWAYS | ONCE },
        [STEP_NO_NEW_PRIVILEGES] = { PHASE_FINAL, ONCE | UNPRIVILEGED },
        [STEP_CHDIR] = { PHASE_FINAL, PATH | ALWAYS | ONCE | UNPRIVILEGED },
        [STEP_STUB_INIT] = { PHASE_FINAL, ONCE | UNPRIVILEGED | OWN_MEMORY },
        [STEP_FILTER] = { PHASE_FINAL, ONCE | UNPRIVILEGED },
        [STEP_EXEC] = { PHASE_FINAL, ALWAYS | ONCE | UNPRIVILEGED },
};

enum phase step_kind_phase(enum step_kind kind) {
        return kinds[kind].phase;
}

struct tree_state {
        bool made, may_be_missing, used;
};

struct walk {
        const struct plan *plan;
        size_t at; /* the step that the rules look at */
        bool seen[_STEP_MAX], cgroups_mounted;
        struct tree_state *trees; /* plan->n_trees of them */
};

static bool has(const struct step *s, unsigned traits) {
        return kinds[s->kind].traits & traits;
}

static bool has_users(const struct walk *w) {
        return w->plan->clone_flags & PLAN_CLONE_NEWUSER;
}

static bool is_absolute(const char *path) {
        return path && path[0] == '/';
}

/* Is `path` below `top`, which has no slash at its end unless it is "/"? */
static bool is_below(const char *path, const char *top) {
        const char *rest = startswith(path, top);

        return rest && *rest && (*rest == '/' || streq(top, "/"));
}

static bool leads_out(const char *path) {
        for (const char *word = path; word; word = strchr(word, '/')) {
                word += *word == '/';
                if (startswith(word, "..") && (word[2] == '/' || word[2] == '\0'))
                        return true;
        }
        return false;
}

/* Each rule: NULL, or what is wrong with the step. */

static const char *rule_phase(const struct walk *w, const struct step *s) {
        if (kinds[s->kind].phase != s->phase)
                return "it is in a phase that is not its own";
        if (w->at > 0 && w->plan->steps[w->at - 1].phase > s->phase)
                return "it comes after a later phase";
        return NULL;
}

static const char *rule_once(const struct walk *w, const struct step *s) {
        return has(s, ONCE) && w->seen[s->kind] ? "there are two of it" : NULL;
}

static const char *rule_path(const struct walk *w, const struct step *s) {
        if (has(s, PATH) && !is_absolute(s->target))
                return "its target is no absolute path";
        if (s->kind == STEP_BIND && !is_absolute(s->source))
                return "its source is no absolute path";
        if (has(s, IN_TREE) && (isempty(s->target) || *s->target == '/' || leads_out(s->target)))
                return "its target is no path inside of the tree";
        if ((s->flags & STEP_KEEP_OPEN) && (s->kind != STEP_TREE_NODE || s->node.type != NODE_FIFO))
                return "only a fifo can be kept open";
        return NULL;
}

static const char *rule_tree(const struct walk *w, const struct step *s) {
        const struct tree_state *t;

        if (!has(s, TREE))
                return NULL;
        if (s->tree < 0 || s->tree >= w->plan->n_trees)
                return "there is no such tree";
        t = &w->trees[s->tree];
        if (has(s, MAKES))
                return t->made ? "its tree is made already" : NULL;
        if (!t->made)
                return "its tree is not made yet";
        if (has(s, USES) && t->used)
                return "its tree is in its place already";
        if (t->may_be_missing && !(s->flags & STEP_MAY_FAIL))
                return "its tree may be missing, but it must not fail";
        return NULL;
}

static const char *rule_may_fail(const struct walk *w, const struct step *s) {
        return (s->flags & STEP_MAY_FAIL) && !has(s, CAN_FAIL) ? "it must not be allowed to fail" : NULL;
}

static const char *rule_undo(const struct walk *w, const struct step *s) {
        if (has(s, ON_HOST) && !(s->flags & STEP_UNDO))
                return "what it leaves on the host is not taken away";
        if ((s->flags & STEP_THROW_AWAY) && (!has(s, MAKES) || s->source))
                return "what is thrown away is not what it makes";
        return NULL;
}

static const char *rule_users(const struct walk *w, const struct step *s) {
        switch (s->kind) {
        case STEP_ID_MAP:
        case STEP_BECOME_ROOT:
                return has_users(w) ? NULL : "there is no user namespace";
        case STEP_TREE_IDMAP:
                return w->seen[STEP_ID_MAP] ? NULL : "users are not mapped yet";
        default:
                if (s->phase >= PHASE_CHILD && has_users(w) && !(w->seen[STEP_ID_MAP] && w->seen[STEP_BECOME_ROOT]))
                        return "it is not done by root of the user namespace";
                return NULL;
        }
}

/* The host's mounts, then its tree, have to be out of reach before anything depends on it. */
static const char *rule_root(const struct walk *w, const struct step *s) {
        if (s->phase < PHASE_CHILD)
                return NULL;
        if ((has(s, MOUNTS | PATH) || s->kind == STEP_ENTER_ROOT) && !w->seen[STEP_PRIVATE])
                return "what is mounted would reach the host";
        if (has(s, PATH) && !w->seen[STEP_ENTER_ROOT])
                return "its path would be one of the host";
        if (s->kind == STEP_ENTER_ROOT && s->tree != TREE_ROOT)
                return "only the root tree can become /";
        if (s->kind == STEP_DETACH_OLD_ROOT && !w->seen[STEP_ENTER_ROOT])
                return "the host cannot be left before the root is entered";
        return NULL;
}

static const char *rule_host_is_left(const struct walk *w, const struct step *s) {
        bool foreign = s->kind == STEP_WRITE || s->kind == STEP_CONSOLE || s->kind == STEP_SHARED ||
                       s->phase == PHASE_FINAL || (s->flags & STEP_COVERS);
        bool api = s->kind == STEP_MOUNT && s->type && (streq(s->type, "proc") || streq(s->type, "sysfs"));

        if (foreign && !w->seen[STEP_DETACH_OLD_ROOT])
                return "the host is not left yet";
        if (api && has_users(w) && w->seen[STEP_DETACH_OLD_ROOT])
                return "the kernel allows it only while the host's own is there";
        return NULL;
}

/* A mount hides what is below it. Only who was asked for that place by name may do that. */
static const char *rule_covers(const struct walk *w, const struct step *s) {
        if (!has(s, MOUNTS) || (s->flags & STEP_MAY_FAIL))
                return NULL;
        for (size_t i = 0; i < w->at; i++) {
                const struct step *before = &w->plan->steps[i];

                if (has(before, MOUNTS) && is_below(before->target, s->target) &&
                    (!(s->flags & STEP_COVERS) || (before->flags & STEP_COVERS)))
                        return "it covers what was mounted below its target";
        }
        return NULL;
}

static const char *rule_cgroups(const struct walk *w, const struct step *s) {
        return s->kind == STEP_CGROUP_NAMESPACE && w->cgroups_mounted ? "the host's control groups are mounted already"
                                                                      : NULL;
}

/* The kernel takes a label for any file system, but in a user namespace for these few only. */
static const char *rule_label(const struct walk *w, const struct step *s) {
        bool in_memory = (s->kind == STEP_MOUNT || s->kind == STEP_TREE_NEW) &&
                         (streq_ptr(s->type, "tmpfs") || streq_ptr(s->type, "devpts"));

        if (s->label && !in_memory && !(s->kind == STEP_TREE_OVERLAY && s->options))
                return "it makes nothing that takes a label";
        if (s->kind == STEP_EXEC_LABEL && w->seen[STEP_FILTER])
                return "its system calls are filtered already";
        return NULL;
}

static const char *rule_privileges(const struct walk *w, const struct step *s) {
        const struct plan_payload *p = &w->plan->payload;
        bool may_filter = p->capabilities.effective & CAP_SYS_ADMIN_BIT;

        if (w->seen[STEP_IDENTITY] && !has(s, UNPRIVILEGED))
                return "it needs capabilities, and they are gone";
        if (s->kind == STEP_CHDIR && !w->seen[STEP_IDENTITY])
                return "directories are entered as the payload's user"; /* and the kernel forgets a parent-death signal */
        if (s->kind == STEP_FILTER && w->seen[STEP_IDENTITY] && !w->seen[STEP_NO_NEW_PRIVILEGES] && !may_filter)
                return "a filter needs CAP_SYS_ADMIN, or no_new_privs before it";
        return NULL;
}

static const char *rule_memory(const struct walk *w, const struct step *s) {
        bool leaves = s->kind == STEP_STUB_INIT && w->plan->stub_is_program;

        if (leaves && w->seen[STEP_EXEC_LABEL])
                return "it would run with the program's label";
        return has(s, OWN_MEMORY) && !leaves && w->plan->shares_memory ? "the runner's memory is not the child's alone"
                                                                       : NULL;
}

static const char *rule_end(const struct walk *w, const struct step *s) {
        bool unfiltered = w->plan->payload.filter.n_code && !w->seen[STEP_FILTER];

        if (w->seen[STEP_EXEC])
                return "nothing can follow the program";
        if (w->seen[STEP_STUB_INIT] && s->kind != STEP_EXEC)
                return "only the program can follow the stub init";
        if ((s->kind == STEP_STUB_INIT || s->kind == STEP_EXEC) && unfiltered)
                return "its system calls are not filtered";
        if (s->kind == STEP_EXEC && (!w->plan->payload.candidates || !w->plan->payload.argv))
                return "there is no program";
        return NULL;
}

static const char *(*const rules[])(const struct walk *w, const struct step *s) = {
        rule_phase,  rule_once,         rule_path,    rule_tree,  rule_may_fail,   rule_undo,   rule_users, rule_root,
        rule_covers, rule_host_is_left, rule_cgroups, rule_label, rule_privileges, rule_memory, rule_end,
};

static void remember(struct walk *w, const struct step *s) {
        w->seen[s->kind] = true;
        if (has(s, MAKES))
                w->trees[s->tree] = (struct tree_state){ .made = true, .may_be_missing = s->flags & STEP_MAY_FAIL };
        if (has(s, USES))
                w->trees[s->tree].used = true;
        if (s->kind == STEP_MOUNT && startswith(strempty(s->type), "cgroup"))
                w->cgroups_mounted = true;
}

static int wrong(const struct walk *w, struct diag *diag, const char *rule) {
        const struct step *s = &w->plan->steps[w->at];

        return diag_set(diag, -ENOTRECOVERABLE, NULL, "internal error: the plan is wrong: step %zu, %s %.40s: %s",
                        w->at, step_kind_to_string(s->kind), strempty(s->target), rule);
}

static int check_end(const struct walk *w, struct diag *diag) {
        for (int kind = 0; kind < _STEP_MAX; kind++)
                if ((kinds[kind].traits & ALWAYS) && !w->seen[kind])
                        return diag_set(diag, -ENOTRECOVERABLE, NULL, "internal error: the plan is wrong: no step %s",
                                        step_kind_to_string((enum step_kind) kind));
        for (int i = 0; i < w->plan->n_trees; i++)
                if (w->trees[i].made && !w->trees[i].used)
                        return diag_set(diag, -ENOTRECOVERABLE, NULL,
                                        "internal error: the plan is wrong: tree %d is made for nothing", i);
        return 0;
}

int plan_check(const struct plan *p, struct diag *diag) {
        AUTO_FREE struct tree_state *trees = calloc((size_t) p->n_trees + 1, sizeof(*trees));
        struct walk w = { .plan = p, .trees = trees };

        if (!trees)
                return -ENOMEM;
        for (w.at = 0; w.at < p->n_steps; w.at++) {
                const struct step *s = &p->steps[w.at];

                for (size_t i = 0; i < ELEMENTS(rules); i++) {
                        const char *problem = rules[i](&w, s);

                        if (problem)
                                return wrong(&w, diag, problem);
                }
                remember(&w, s);
        }
        return check_end(&w, diag);
}
