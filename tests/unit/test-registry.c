/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/registry.h"

static struct machine *make(const char *name, pid_t leader, const char *unit, const char *subgroup, uid_t uid) {
        struct machine *m = NULL;

        assert_int_equal(machine_new(name, &m), 0);
        m->leader.pid = leader;
        m->unit = unit ? strdup(unit) : NULL;
        m->subgroup = subgroup ? strdup(subgroup) : NULL;
        m->uid = uid;
        return m;
}

static int add(struct registry *r, struct machine *m) {
        int result = registry_add(r, &m, NULL);

        machine_free(m);
        return result;
}

static void check(struct registry *r) {
        char why[200] = "";

        if (registry_check(r, why, sizeof(why)) < 0)
                fail_msg("%s", why);
}

static void test_refusals(void **state) {
        struct registry *r = NULL;

        assert_int_equal(registry_new(1, &r), 0);
        assert_int_equal(add(r, make("a", 10, "a.scope", NULL, 0)), 0);
        assert_int_equal(add(r, make("a", 11, "b.scope", NULL, 0)), -EEXIST);
        assert_int_equal(add(r, make("b", 10, "b.scope", NULL, 0)), -EBUSY);
        assert_int_equal(add(r, make("b", 11, "a.scope", NULL, 0)), -EADDRINUSE);
        assert_int_equal(add(r, make("b", 11, "a.scope", "payload", 0)), 0);
        assert_int_equal(add(r, make("c", 12, "a.scope", "other", 0)), 0);
        assert_int_equal(add(r, make("d", 13, NULL, NULL, 0)), 0);
        assert_int_equal(add(r, make("e", 14, NULL, NULL, 0)), 0);
        assert_int_equal(registry_count(r), 5);
        check(r);
        registry_free(r);
}

static void test_finding(void **state) {
        struct registry *r = NULL;
        struct machine *m;

        assert_int_equal(registry_new(2, &r), 0);
        add(r, make("a", 10, "a.scope", NULL, 7));
        add(r, make("A", 11, "a.scope", "sub", 7));
        m = registry_find(r, "a");
        assert_ptr_equal(registry_find_leader(r, 10), m);
        assert_ptr_equal(registry_find_unit(r, "a.scope"), m);
        assert_ptr_not_equal(registry_find(r, "A"), m);
        assert_null(registry_find(r, "b"));
        assert_null(registry_find_leader(r, 12));
        assert_int_equal(registry_count_owner(r, 7), 2);
        registry_remove(r, m);
        assert_null(registry_find(r, "a"));
        assert_null(registry_find_leader(r, 10));
        assert_null(registry_find_unit(r, "a.scope"));
        assert_int_equal(registry_count_owner(r, 7), 1);
        check(r);
        registry_free(r);
}

static void test_moving_to_another_unit(void **state) {
        struct registry *r = NULL;
        struct machine *m;

        assert_int_equal(registry_new(3, &r), 0);
        add(r, make("a", 10, NULL, NULL, 0));
        add(r, make("b", 11, "b.scope", NULL, 0));
        m = registry_find(r, "a");
        assert_int_equal(registry_set_unit(r, m, "b.scope", NULL), -EADDRINUSE);
        assert_int_equal(registry_set_unit(r, m, "b.scope", "x"), 0);
        assert_ptr_equal(registry_find_unit(r, "b.scope"), registry_find(r, "b"));
        assert_int_equal(registry_set_unit(r, m, "a.scope", NULL), 0);
        assert_ptr_equal(registry_find_unit(r, "a.scope"), m);
        assert_int_equal(registry_set_unit(r, m, NULL, NULL), 0);
        assert_null(registry_find_unit(r, "a.scope"));
        check(r);
        registry_free(r);
}

static void test_order_and_removal_on_the_way(void **state) {
        struct registry *r = NULL;
        struct machine *m, *next;
        char name[16];
        int i = 0;

        assert_int_equal(registry_new(4, &r), 0);
        for (i = 0; i < 2000; i++) {
                snprintf(name, sizeof(name), "m%d", i);
                assert_int_equal(add(r, make(name, 100 + i, NULL, NULL, 0)), 0);
        }
        check(r);
        i = 0;
        for (m = registry_first(r); m; m = next) {
                snprintf(name, sizeof(name), "m%d", i++);
                assert_string_equal(m->name, name); /* in order of registration */
                next = registry_next(r, m);
                if (i % 2)
                        registry_remove(r, m);
        }
        assert_int_equal(registry_count(r), 1000);
        check(r);
        registry_free(r);
}

static void test_limit_of_an_owner(void **state) {
        struct registry *r = NULL;
        char name[16];

        assert_int_equal(registry_new(5, &r), 0);
        for (int i = 0; i < REGISTRY_MAX_PER_OWNER; i++) {
                snprintf(name, sizeof(name), "m%d", i);
                assert_int_equal(add(r, make(name, 100 + i, NULL, NULL, 1000)), 0);
        }
        assert_int_equal(add(r, make("more", 99999, NULL, NULL, 1000)), -EDQUOT);
        assert_int_equal(add(r, make("more", 99999, NULL, NULL, 0)), 0);
        assert_int_equal(registry_count_owner(r, 1000), REGISTRY_MAX_PER_OWNER);
        registry_free(r);
}

/* The check must be able to fail: each line breaks what it promises. */
static void test_the_check_sees_damage(void **state) {
        struct registry *r = NULL;
        struct machine *m;
        char why[200];

        assert_int_equal(registry_new(6, &r), 0);
        add(r, make("a", 10, "a.scope", NULL, 0));
        m = registry_find(r, "a");
        m->uid = 5;
        assert_int_equal(registry_check(r, why, sizeof(why)), -ENOTRECOVERABLE);
        m->uid = 0;
        m->state = MACHINE_GONE;
        assert_int_equal(registry_check(r, why, sizeof(why)), -ENOTRECOVERABLE);
        m->state = MACHINE_RUNNING;
        m->subgroup = strdup("x");
        assert_int_equal(registry_check(r, why, sizeof(why)), -ENOTRECOVERABLE);
        free(STEAL(m->subgroup));
        m->leader.pid = 11;
        assert_int_equal(registry_check(r, why, sizeof(why)), -ENOTRECOVERABLE);
        m->leader.pid = 10;
        check(r);
        registry_free(r);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_moving_to_another_unit),
        cmocka_unit_test(test_order_and_removal_on_the_way),
        cmocka_unit_test(test_limit_of_an_owner),
        cmocka_unit_test(test_the_check_sees_damage),
};

RUN_TESTS(tests)
