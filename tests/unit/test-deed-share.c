/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "core/deed-share.h"

static unsigned take(struct deed_shares *s, uid_t uid, uint64_t now, unsigned times) {
        uint64_t left_out;
        unsigned n = 0;

        for (unsigned i = 0; i < times; i++)
                n += deed_shares_take(s, uid, now, &left_out);
        return n;
}

/* A burst, then one in each second; what was left out is told with the next. */
static void test_one_user(void **state) {
        struct deed_shares s = { 0 };
        uint64_t now = 5 * DEED_PERIOD_USEC, left_out = 0;

        assert_int_equal(take(&s, 7, now, 1000), DEED_BURST);
        assert_int_equal(take(&s, 7, now + DEED_PERIOD_USEC - 1, 10), 0);
        assert_true(deed_shares_take(&s, 7, now + DEED_PERIOD_USEC, &left_out));
        assert_int_equal(left_out, 1000 - DEED_BURST + 10);
        assert_int_equal(take(&s, 7, now + DEED_PERIOD_USEC, 10), 0);
        assert_int_equal(take(&s, 7, now + 11 * DEED_PERIOD_USEC, 100), 10);
        assert_int_equal(take(&s, 7, now + 10000 * DEED_PERIOD_USEC, 1000), DEED_BURST);
}

static void test_others(void **state) {
        struct deed_shares s = { 0 };
        uint64_t left_out = 1;

        assert_int_equal(take(&s, 7, 1, 1000), DEED_BURST);
        assert_true(deed_shares_take(&s, 8, 1, &left_out));
        assert_int_equal(left_out, 0);
        /* Many who do little take the places of those who have rested, not of the one who is busy. */
        for (uid_t uid = 1000; uid < 2000; uid++)
                assert_int_equal(take(&s, uid, 2, 1), 1);
        assert_int_equal(take(&s, 7, 2, 10), 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_user),
        cmocka_unit_test(test_others),
};

RUN_TESTS(tests)
