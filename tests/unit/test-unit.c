/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scopes without a machine: names, the life of one, the set of them, and what is noted on a control group. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "codec/unit-record.h"
#include "core/unitset.h"

static void test_names(void **state) {
        static const char *const good[] = { "a.scope", "session-c1.scope", "machine-a\\x2db.scope", "a.b:c_d.scope" };
        static const char *const bad[] = { "",         ".scope",     "a.service", "a.slice",  "a@.scope", "a/b.scope",
                                           "a.scope ", "../a.scope", "a b.scope", ".a.scope", "scope",    "a.scope\n" };

        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(scope_unit_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(scope_unit_name_is_valid(bad[i]));
        assert_true(unit_controller_is_valid(":1.42"));
        assert_false(unit_controller_is_valid(":"));
        assert_false(unit_controller_is_valid("org.example.Name"));
        assert_false(unit_controller_is_valid(":1.4'x"));
}

static void test_tables(void **state) {
        for (int s = 0; s < _UNIT_STATE_MAX; s++) {
                assert_int_equal(unit_state_from_string(unit_state_to_string((enum unit_state) s)), s);
                assert_non_null(unit_active_state((enum unit_state) s));
                for (int e = 0; e < _UNIT_EVENT_MAX; e++) {
                        struct unit_transition t = unit_transition((enum unit_state) s, (enum unit_event) e);

                        assert_int_not_equal(t.effects, 0);
                        /* Staying means nothing else; only an empty scope is forgotten, and then it is gone. */
                        assert_true(!(t.effects & UNIT_EFFECT_STAY) ||
                                    (t.effects == UNIT_EFFECT_STAY && (int) t.next == s));
                        if (s != UNIT_GONE)
                                assert_int_equal(!!(t.effects & UNIT_EFFECT_FORGET), e == UNIT_EVENT_EMPTY);
                        if (s != UNIT_GONE)
                                assert_int_equal(t.next == UNIT_GONE, e == UNIT_EVENT_EMPTY);
                }
        }
        for (int e = 0; e < _UNIT_EVENT_MAX; e++)
                assert_int_equal(unit_event_from_string(unit_event_to_string((enum unit_event) e)), e);
}

static void test_life(void **state) {
        static const struct {
                enum unit_state from;
                enum unit_event event;
                enum unit_state to;
                uint32_t effects;
        } rows[] = {
                { UNIT_RUNNING, UNIT_EVENT_STOP, UNIT_STOPPING, UNIT_EFFECT_ASK | UNIT_EFFECT_ARM },
                { UNIT_STOPPING, UNIT_EVENT_LATE, UNIT_KILLING, UNIT_EFFECT_KILL },
                { UNIT_STOPPING, UNIT_EVENT_ORPHAN, UNIT_STOPPING, UNIT_EFFECT_UNBIND | UNIT_EFFECT_ASK },
                { UNIT_RUNNING, UNIT_EVENT_ABANDON, UNIT_ABANDONED, UNIT_EFFECT_UNBIND },
                { UNIT_ABANDONED, UNIT_EVENT_STOP, UNIT_STOPPING, UNIT_EFFECT_ASK | UNIT_EFFECT_ARM },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct unit_transition t = unit_transition(rows[i].from, rows[i].event);

                assert_int_equal(t.next, rows[i].to);
                assert_int_equal(t.effects & ~(uint32_t) UNIT_EFFECT_PERSIST, rows[i].effects);
                assert_true(t.effects & UNIT_EFFECT_PERSIST);
        }
}

static struct unit *make(const char *name, const char *cgroup) {
        struct unit *u = NULL;

        assert_int_equal(unit_new(name, &u), 0);
        u->cgroup = strdup(cgroup);
        assert_non_null(u->cgroup);
        return u;
}

static void test_set(void **state) {
        AUTO(unitset_freep) struct unitset *s = NULL;
        struct unit *a = make("a.scope", "/s.slice/a.scope"), *b = make("b.scope", "/s.slice/b.scope");
        struct unit *other = make("a.scope", "/t.slice/a.scope"), *in_a, *in_b;

        assert_int_equal(unitset_new(&s), 0);
        assert_int_equal(unitset_add(s, &a, &in_a), 0);
        assert_null(a);
        assert_int_equal(unitset_add(s, &b, &in_b), 0);
        assert_int_equal(unitset_add(s, &other, &in_b), -EEXIST);
        unit_free(other);
        assert_ptr_equal(unitset_find(s, "a.scope"), in_a);
        assert_ptr_equal(unitset_find_cgroup(s, "/s.slice/a.scope"), in_a);
        assert_ptr_equal(unitset_first(s), in_a);
        assert_ptr_equal(unitset_next(in_a), in_b);
        assert_null(unitset_next(in_b));
        unitset_remove(s, in_a);
        assert_null(unitset_find(s, "a.scope"));
        assert_int_equal(unitset_count(s), 1);
}

static void test_record(void **state) {
        AUTO(unit_freep) struct unit *u = make("x.scope", "/p/a.slice/a-b.slice/x.scope"), *back = NULL;
        AUTO_BUF struct buf text = BUF_EMPTY;

        u->description = strdup("Say \"hello\" $HOME\\ `x`");
        u->controller = strdup(":1.7");
        u->state = UNIT_STOPPING;
        u->referenced = true;
        u->kill_signal = 37;
        u->stop_timeout_usec = UINT64_MAX;
        u->realtime_usec = 5;
        u->monotonic_usec = 6;
        assert_int_equal(unit_record_encode(u, &text), 0);
        assert_int_equal(unit_record_decode(u->cgroup, text.data, text.size, &back), 0);
        assert_string_equal(back->name, "x.scope");
        assert_string_equal(back->slice, "a-b.slice");
        assert_string_equal(back->cgroup, u->cgroup);
        assert_string_equal(back->description, u->description);
        assert_string_equal(back->controller, ":1.7");
        assert_int_equal(back->state, UNIT_STOPPING);
        assert_true(back->referenced);
        assert_int_equal(back->kill_signal, 37);
        assert_true(back->stop_timeout_usec == UINT64_MAX && back->realtime_usec == 5 && back->monotonic_usec == 6);
}

static void test_bad_records(void **state) {
        static const struct {
                const char *path, *text;
        } rows[] = {
                { "/a.slice/x.service", "" },
                { "x.scope", "" },
                { "/a/../x.scope", "" },
                { "/a.slice/x.scope", "STATE=nonsense\n" },
                { "/a.slice/x.scope", "STATE=dead\n" },
                { "/a.slice/x.scope", "KILL_SIGNAL=65\n" },
                { "/a.slice/x.scope", "KILL_SIGNAL=x\n" },
                { "/a.slice/x.scope", "STOP_USEC=-1\n" },
                { "/a.slice/x.scope", "CONTROLLER=org.example\n" },
                { "/a.slice/x.scope", "DESCRIPTION=\"a\x1b[m\"\n" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct unit *u = NULL;

                assert_int_equal(unit_record_decode(rows[i].path, rows[i].text, strlen(rows[i].text), &u), -EBADMSG);
                assert_null(u);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_tables), cmocka_unit_test(test_life),
        cmocka_unit_test(test_set),   cmocka_unit_test(test_record), cmocka_unit_test(test_bad_records),
};
RUN_TESTS(tests)
