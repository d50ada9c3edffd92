/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every kind of step has a name, and somebody who carries it out: the runner or the child, and not both. */
#include "unit.h"

#include "base/str.h"
#include "muster-spawn/child.h"
#include "plan/plan-check.h"

static child_step_fn *const *const tables[] = { child_mount_steps, child_file_steps, child_setup_steps,
                                                child_final_steps };

static void test_names(void **state) {
        for (int kind = 0; kind < _STEP_MAX; kind++)
                assert_int_equal(step_kind_from_string(strempty(step_kind_to_string((enum step_kind) kind))), kind);
}

static void test_executors(void **state) {
        for (int k = 0; k < _STEP_MAX; k++) {
                enum step_kind kind = (enum step_kind) k;
                bool of_runner = step_kind_phase(kind) < PHASE_CHILD;

                if ((tree_steps[kind] != NULL) != of_runner || (child_step_of(kind) != NULL) == of_runner)
                        fail_msg("%s: in phase %s, but carried out by %s%s", step_kind_to_string(kind),
                                 phase_to_string(step_kind_phase(kind)), tree_steps[kind] ? "the runner " : "",
                                 child_step_of(kind) ? "the child" : "");
        }
}

/* child_step_of() takes the first that it finds. */
static void test_one_table(void **state) {
        for (int kind = 0; kind < _STEP_MAX; kind++) {
                int n = 0;

                for (size_t i = 0; i < ELEMENTS(tables); i++)
                        n += tables[i][kind] != NULL;
                if (n > 1)
                        fail_msg("%s is in %d tables", step_kind_to_string((enum step_kind) kind), n);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_executors),
                cmocka_unit_test(test_one_table),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
