/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan that is right, and what becomes of it when one thing is not. */
#include "unit.h"

#include <errno.h>

#include "base/str.h"
#include "invented-facts.h"
#include "plan/plan-check.h"
#include "plan/plan.h"
#include "spec/spec-argv.h"
#include "spec/spec-check.h"

#define WORDS                                                                                                       \
        "muster-spawn", "-D", "/srv/web", "-a", "--private-users=524288", "--private-users-ownership=map",          \
                "--bind=/data:/data", "--bind=/more:/data/more", "--bind=:/scratch", "--network-namespace-path=/n", \
                "--oom-score-adjust=3", "--resolv-conf=replace-host", "-Zu:r:t:s0:c1,c2", "-Lu:object_r:t",         \
                "/bin/true"

static void make(struct plan *ret) {
        char *argv[] = { WORDS, NULL };
        struct diag d = { 0 };
        struct invented facts;
        struct spec spec;

        spec_init(&spec);
        assert_int_equal(spec_from_argv((int) strv_length(argv), argv, NULL, &spec, &d), 0);
        assert_int_equal(spec_check(&spec, &d), 0);
        invent("like v2\nhas_selinux yes\nknows_context yes\nknows_apifs_context yes\n", &facts);
        invent_for(&spec, &facts);
        if (plan_build(&spec, &facts.facts, NULL, NULL, ret, &d) < 0)
                fail_msg("%s", d.text);
        /* The texts of steps that are content are the facts'; nobody looks at them here. */
        invented_done(&facts);
        spec_done(&spec);
}

static size_t find(const struct plan *p, enum step_kind kind, const char *target) {
        for (size_t i = 0; i < p->n_steps; i++)
                if (p->steps[i].kind == kind && (!target || streq_ptr(p->steps[i].target, target)))
                        return i;
        fail_msg("the plan has no step %s %s", step_kind_to_string(kind), strempty(target));
        return 0;
}

static struct step *at(struct plan *p, enum step_kind kind) {
        return &p->steps[find(p, kind, NULL)];
}

static void drop_at(struct plan *p, size_t i) {
        memmove(&p->steps[i], &p->steps[i + 1], (--p->n_steps - i) * sizeof(*p->steps));
}

static void drop(struct plan *p, enum step_kind kind) {
        drop_at(p, find(p, kind, NULL));
}

static void insert(struct plan *p, size_t i, struct step s) {
        plan_add(p, s.phase, s.kind, s.why);
        memmove(&p->steps[i + 1], &p->steps[i], (p->n_steps - 1 - i) * sizeof(*p->steps));
        p->steps[i] = s;
}

static void again(struct plan *p, enum step_kind kind) {
        size_t i = find(p, kind, NULL);

        insert(p, i, p->steps[i]);
}

static void move_at(struct plan *p, size_t from, size_t before) {
        struct step s = p->steps[from];

        drop_at(p, from);
        insert(p, before > from ? before - 1 : before, s);
}

static void move(struct plan *p, enum step_kind kind, enum step_kind before) {
        move_at(p, find(p, kind, NULL), find(p, before, NULL));
}

/* The last mount of a tree: whatever is attached at that place. */
static struct step *attached(struct plan *p, const char *target) {
        return &p->steps[find(p, STEP_ATTACH, target)];
}

#define BREAK(name, action)                        \
        static void break_##name(struct plan *p) { \
                action;                            \
        }

BREAK(own_phase, at(p, STEP_HOSTNAME)->phase = PHASE_FINAL)
BREAK(phase_order, move(p, STEP_RLIMITS, STEP_HOSTNAME))
BREAK(once, again(p, STEP_HOSTNAME))
BREAK(relative, at(p, STEP_MOUNT)->target = "proc")
BREAK(no_target, at(p, STEP_WRITE)->target = NULL)
BREAK(relative_source, at(p, STEP_BIND)->source = "run")
BREAK(tree_path, at(p, STEP_TREE_NODE)->target = "/null")
BREAK(tree_path_empty, at(p, STEP_TREE_NODE)->target = "")
BREAK(tree_path_out, at(p, STEP_TREE_NODE)->target = "a/../../b")
BREAK(keep_open, at(p, STEP_TREE_NODE)->flags |= STEP_KEEP_OPEN)
BREAK(no_such_tree, at(p, STEP_ATTACH)->tree = 99)
BREAK(tree_none, at(p, STEP_ATTACH)->tree = TREE_NONE)
BREAK(tree_twice, again(p, STEP_TREE_NEW))
BREAK(tree_unmade, drop(p, STEP_TREE_NEW))
BREAK(tree_late, move_at(p, find(p, STEP_TREE_NODE, NULL), 0))
BREAK(attach_twice, again(p, STEP_ATTACH))
BREAK(tree_missing, at(p, STEP_TREE_OPEN)->flags |= STEP_MAY_FAIL)
BREAK(undo, at(p, STEP_HOST_DIR)->flags = 0)
BREAK(throw_away, at(p, STEP_TREE_OPEN)->flags |= STEP_THROW_AWAY)
BREAK(no_users, p->clone_flags &= ~(uint64_t) PLAN_CLONE_NEWUSER)
BREAK(map_late, move(p, STEP_TREE_IDMAP, STEP_ID_MAP))
BREAK(not_root, drop(p, STEP_BECOME_ROOT))
BREAK(not_root_yet, move(p, STEP_PRIVATE, STEP_BECOME_ROOT))
BREAK(public, move(p, STEP_ENTER_ROOT, STEP_PRIVATE))
BREAK(host_path, move_at(p, find(p, STEP_MOUNT, "/proc"), find(p, STEP_ENTER_ROOT, NULL)))
BREAK(other_root, at(p, STEP_ENTER_ROOT)->tree = TREE_RUN)
BREAK(left_early, move(p, STEP_DETACH_OLD_ROOT, STEP_ENTER_ROOT))
BREAK(left_late, move(p, STEP_DETACH_OLD_ROOT, STEP_CONSOLE))
BREAK(write_before, move(p, STEP_WRITE, STEP_DETACH_OLD_ROOT))
BREAK(custom_before, move_at(p, find(p, STEP_ATTACH, "/data"), find(p, STEP_DETACH_OLD_ROOT, NULL)))
BREAK(proc_late, move_at(p, find(p, STEP_MOUNT, "/proc"), find(p, STEP_ATTACH, "/dev")))
BREAK(never_left, drop(p, STEP_DETACH_OLD_ROOT))
BREAK(covers, move_at(p, find(p, STEP_ATTACH, "/run"), find(p, STEP_ATTACH, "/run/host/os-release") + 1))
BREAK(covers_custom, move_at(p, find(p, STEP_ATTACH, "/data"), find(p, STEP_ATTACH, "/scratch")))
BREAK(covers_unasked, attached(p, "/data")->flags &= ~(unsigned) STEP_COVERS; attached(p, "/data")->target = "/")
BREAK(cgroups, move(p, STEP_CGROUP_NAMESPACE, STEP_WRITE))
BREAK(label_late, move(p, STEP_EXEC_LABEL, STEP_CHDIR))
BREAK(label_filtered, move(p, STEP_FILTER, STEP_EXEC_LABEL))
BREAK(label_proc, p->steps[find(p, STEP_MOUNT, "/proc")].label = "u:r:t")
BREAK(label_open, at(p, STEP_TREE_OPEN)->label = "u:r:t")
BREAK(limits_late, move(p, STEP_RLIMITS, STEP_CHDIR))
BREAK(oom_late, move(p, STEP_OOM_SCORE, STEP_CHDIR))
BREAK(identity_twice, again(p, STEP_IDENTITY))
BREAK(chdir_early, move(p, STEP_CHDIR, STEP_RLIMITS))
BREAK(filter_alone, p->payload.capabilities.effective &= ~(UINT64_C(1) << 21))
BREAK(filter_late, move(p, STEP_STUB_INIT, STEP_FILTER))
BREAK(filter_gone, drop(p, STEP_FILTER); drop(p, STEP_STUB_INIT))
BREAK(after_stub, insert(p, p->n_steps - 1, (struct step){ .kind = STEP_NO_NEW_PRIVILEGES, .phase = PHASE_FINAL }))
BREAK(after_exec, insert(p, p->n_steps, (struct step){ .kind = STEP_NO_NEW_PRIVILEGES, .phase = PHASE_FINAL }))
BREAK(memory, p->shares_memory = true)
BREAK(memory_and_program, p->stub_is_program = p->shares_memory = true; drop(p, STEP_EXEC_LABEL))
BREAK(stub_label, p->stub_is_program = true)
BREAK(no_program, strv_free(p->payload.candidates); p->payload.candidates = NULL)
BREAK(no_exec, drop(p, STEP_EXEC))
BREAK(no_limits, drop(p, STEP_RLIMITS))
BREAK(tree_unused, drop_at(p, find(p, STEP_ATTACH, "/run/host/os-release")))

static const struct {
        void (*break_it)(struct plan *p);
        const char *rule;
} cases[] = {
        { break_own_phase, "it is in a phase that is not its own" },
        { break_phase_order, "it comes after a later phase" },
        { break_once, "hostname : there are two of it" },
        { break_identity_twice, "identity : there are two of it" },
        { break_relative, "its target is no absolute path" },
        { break_no_target, "its target is no absolute path" },
        { break_relative_source, "its source is no absolute path" },
        { break_tree_path, "its target is no path inside of the tree" },
        { break_tree_path_empty, "its target is no path inside of the tree" },
        { break_tree_path_out, "its target is no path inside of the tree" },
        { break_keep_open, "only a fifo can be kept open" },
        { break_no_such_tree, "there is no such tree" },
        { break_tree_none, "there is no such tree" },
        { break_tree_twice, "its tree is made already" },
        { break_tree_unmade, "its tree is not made yet" },
        { break_tree_late, "its tree is not made yet" },
        { break_attach_twice, "its tree is in its place already" },
        { break_tree_missing, "its tree may be missing, but it must not fail" },
        { break_undo, "what it leaves on the host is not taken away" },
        { break_throw_away, "what is thrown away is not what it makes" },
        { break_no_users, "there is no user namespace" },
        { break_map_late, "users are not mapped yet" },
        { break_not_root, "it is not done by root of the user namespace" },
        { break_not_root_yet, "it is not done by root of the user namespace" },
        { break_public, "what is mounted would reach the host" },
        { break_host_path, "its path would be one of the host" },
        { break_other_root, "only the root tree can become /" },
        { break_left_early, "the host cannot be left before the root is entered" },
        { break_left_late, "the host is not left yet" },
        { break_write_before, "the host is not left yet" },
        { break_custom_before, "/data: the host is not left yet" },
        { break_never_left, "the host is not left yet" },
        { break_proc_late, "the kernel allows it only while the host's own is there" },
        { break_covers, "/run: it covers what was mounted below its target" },
        { break_covers_custom, "/data: it covers what was mounted below its target" },
        { break_covers_unasked, "/: it covers what was mounted below its target" },
        { break_cgroups, "the host's control groups are mounted already" },
        { break_label_late, "exec-label : it needs capabilities, and they are gone" },
        { break_label_filtered, "exec-label : its system calls are filtered already" },
        { break_label_proc, "/proc: it makes nothing that takes a label" },
        { break_label_open, "it makes nothing that takes a label" },
        { break_limits_late, "limits : it needs capabilities, and they are gone" },
        { break_oom_late, "oom-score : it needs capabilities, and they are gone" },
        { break_chdir_early, "directories are entered as the payload's user" },
        { break_filter_alone, "a filter needs CAP_SYS_ADMIN, or no_new_privs before it" },
        { break_filter_late, "its system calls are not filtered" },
        { break_filter_gone, "exec : its system calls are not filtered" },
        { break_after_stub, "only the program can follow the stub init" },
        { break_after_exec, "nothing can follow the program" },
        { break_memory, "the runner's memory is not the child's alone" },
        { break_memory_and_program, "oom-score : the runner's memory is not the child's alone" },
        { break_stub_label, "stub-init : it would run with the program's label" },
        { break_no_program, "there is no program" },
        { break_no_exec, "no step exec" },
        { break_no_limits, "no step limits" },
        { break_tree_unused, "is made for nothing" },
};

static void test_each_rule(void **state) {
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct plan plan = { 0 };
                struct diag d = { 0 };
                int r;

                make(&plan);
                cases[i].break_it(&plan);
                r = plan_check(&plan, &d);
                if (r != -ENOTRECOVERABLE || !strstr(d.text, cases[i].rule))
                        fail_msg("broken: \"%s\"; said: %d \"%s\"", cases[i].rule, r, d.text);
                plan_done(&plan);
        }
}

/* Nothing that keeps the container in may be left out silently. */
static void test_may_fail(void **state) {
        static const enum step_kind kinds[] = {
                STEP_TREE_NEW,   STEP_ID_MAP, STEP_TREE_IDMAP, STEP_BECOME_ROOT,     STEP_JOIN_NETWORK,
                STEP_PRIVATE,    STEP_BIND,   STEP_ENTER_ROOT, STEP_DETACH_OLD_ROOT, STEP_CGROUP_NAMESPACE,
                STEP_REMOUNT,    STEP_SHARED, STEP_CONSOLE,    STEP_RLIMITS,         STEP_OOM_SCORE,
                STEP_IDENTITY,   STEP_CHDIR,  STEP_STUB_INIT,  STEP_FILTER,          STEP_EXEC,
                STEP_EXEC_LABEL,
        };

        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                struct plan plan = { 0 };
                struct diag d = { 0 };

                make(&plan);
                at(&plan, kinds[i])->flags |= STEP_MAY_FAIL;
                assert_int_equal(plan_check(&plan, &d), -ENOTRECOVERABLE);
                if (!strstr(d.text, "it must not be allowed to fail"))
                        fail_msg("%s: %s", step_kind_to_string(kinds[i]), d.text);
                plan_done(&plan);
        }
}

static void test_right(void **state) {
        struct plan plan = { 0 };
        struct diag d = { 0 };

        make(&plan);
        assert_int_equal(plan_check(&plan, &d), 0);
        /* what is asked for by name may hide what the container has there */
        attached(&plan, "/scratch")->target = "/run";
        assert_int_equal(plan_check(&plan, &d), 0);
        plan_done(&plan);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_right),
                cmocka_unit_test(test_each_rule),
                cmocka_unit_test(test_may_fail),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
