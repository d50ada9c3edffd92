/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks every cell of the state table, and both directions of the enums beside it. */
#include "unit.h"

#include <errno.h>

#include "core/access.h"
#include "core/machine-state.h"
#include "core/ports.h"
#include "core/scope.h"

static void test_every_cell_is_written(void **state) {
        for (int s = 0; s < _MACHINE_STATE_MAX; s++)
                for (int e = 0; e < _MACHINE_EVENT_MAX; e++) {
                        struct transition t = machine_transition((enum machine_state) s, (enum machine_event) e);

                        if (t.effects == 0)
                                fail_msg("nobody thought of %s while %s",
                                         machine_event_to_string((enum machine_event) e),
                                         machine_state_to_string((enum machine_state) s));
                        if (t.effects & EFFECT_STAY)
                                assert_true(t.effects == EFFECT_STAY && t.next == (enum machine_state) s);
                        /* Gone and forgotten are the same thing. */
                        if (s != MACHINE_GONE)
                                assert_true((t.next == MACHINE_GONE) == !!(t.effects & EFFECT_FORGET));
                }
}

static void test_announcements_pair(void **state) {
        /* Only what was announced as new is announced as removed. */
        for (int e = 0; e < _MACHINE_EVENT_MAX; e++)
                assert_false(machine_transition(MACHINE_OPENING, (enum machine_event) e).effects &
                             EFFECT_ANNOUNCE_REMOVED);
        assert_true(machine_transition(MACHINE_OPENING, EVENT_PLACED).effects & EFFECT_ANNOUNCE_NEW);
        assert_true(machine_transition(MACHINE_RUNNING, EVENT_LEADER_EXIT).effects & EFFECT_ANNOUNCE_REMOVED);
        assert_true(machine_transition(MACHINE_CLOSING, EVENT_UNREGISTER).effects & EFFECT_ANNOUNCE_REMOVED);
        /* Unregistering touches no process. */
        for (int s = 0; s < _MACHINE_STATE_MAX; s++)
                assert_false(machine_transition((enum machine_state) s, EVENT_UNREGISTER).effects &
                             (EFFECT_STOP | EFFECT_RELEASE));
}

#define WALK(name, type, max)                                                                \
        do {                                                                                 \
                for (int i = 0; i < (max); i++) {                                            \
                        assert_non_null(name##_to_string((type) i));                         \
                        assert_int_equal(name##_from_string(name##_to_string((type) i)), i); \
                }                                                                            \
                assert_null(name##_to_string((type) (max)));                                 \
                assert_int_equal(name##_from_string("no such thing"), -EINVAL);              \
        } while (0)

static void test_tables_both_ways(void **state) {
        WALK(machine_class, enum machine_class, _MACHINE_CLASS_MAX);
        WALK(machine_state, enum machine_state, _MACHINE_STATE_MAX);
        WALK(machine_event, enum machine_event, _MACHINE_EVENT_MAX);
        WALK(kill_whom, enum kill_whom, _KILL_WHOM_MAX);
        WALK(resource, enum resource, _RESOURCE_MAX);
        WALK(io_limit_kind, enum io_limit_kind, _IO_LIMIT_MAX);
}

static void test_scope_properties(void **state) {
        struct scope_properties p = { .resources_set = 0 };

        for (int i = 0; i < _RESOURCE_MAX; i++) {
                const struct scope_property *known = scope_property_find(resource_to_string((enum resource) i));

                assert_non_null(known);
                assert_int_equal(known->kind, SCOPE_RESOURCE);
                assert_int_equal(known->value, i);
        }
        for (const struct scope_property *k = scope_property_table(); k->name; k++)
                assert_ptr_equal(scope_property_find(k->name), k); /* no name twice */
        assert_null(scope_property_find("ExecStart"));
        assert_null(scope_property_find(""));
        scope_set(&p, RESOURCE_TASKS_MAX, 5);
        assert_true(scope_has(&p, RESOURCE_TASKS_MAX));
        assert_false(scope_has(&p, RESOURCE_MEMORY_MAX));
        scope_properties_done(&p);
        assert_false(scope_has(&p, RESOURCE_TASKS_MAX));
}

static void test_access_rules(void **state) {
        /* Whatever changes something is never open to everybody. */
        static const enum verb changing[] = { VERB_REGISTER, VERB_CREATE,   VERB_UNREGISTER, VERB_TERMINATE, VERB_KILL,
                                              VERB_SET_LOG,  VERB_METADATA, VERB_OS_RELEASE, VERB_OPEN_LOG };

        for (size_t i = 0; i < ELEMENTS(changing); i++)
                assert_true(access_rule(changing[i])->action || access_rule(changing[i])->root_only);
        assert_false(access_rule(VERB_REGISTER)->owner);
        assert_true(access_rule(VERB_KILL)->owner);
        assert_false(access_rule(VERB_OS_RELEASE)->owner);
        assert_false(access_rule(VERB_OPEN_LOG)->owner);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell_is_written), cmocka_unit_test(test_announcements_pair),
        cmocka_unit_test(test_tables_both_ways),      cmocka_unit_test(test_scope_properties),
        cmocka_unit_test(test_access_rules),
};

RUN_TESTS(tests)
