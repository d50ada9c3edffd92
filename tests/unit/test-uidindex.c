/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>

#include "core/uidindex.h"

#define OWNERS 300

static void test_maps(void **state) {
        struct idmap_range ranges[] = { { 0, 100000, 1000 }, { 5000, 0, 10 }, { 1000, 300000, 65536 } };
        struct idmap map = { ranges, ELEMENTS(ranges) };
        uint32_t v = 0;

        assert_int_equal(idmap_to_outer(&map, 999, &v), 0);
        assert_int_equal(v, 100999);
        assert_int_equal(idmap_to_outer(&map, 1000, &v), 0);
        assert_int_equal(v, 300000);
        assert_int_equal(idmap_to_outer(&map, 70000, &v), -ESRCH);
        assert_int_equal(idmap_to_inner(&map, 300001, &v), 0);
        assert_int_equal(v, 1001);
        assert_int_equal(idmap_to_inner(&map, 5, &v), -ESRCH); /* a range that starts at host 0 never counts */
        assert_int_equal(idmap_simple_shift(&map, &v), -EOPNOTSUPP);
        map.n_ranges = 1;
        assert_int_equal(idmap_simple_shift(&map, &v), -EOPNOTSUPP);
        ranges[0].count = 65536;
        assert_int_equal(idmap_simple_shift(&map, &v), 0);
        assert_int_equal(v, 100000);
}

static uint64_t random_state = 4711;

static uint32_t random_below(uint32_t n) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t) ((random_state >> 33) % n);
}

/* The tree against asking everybody, over many random sets with overlaps. */
static void test_against_a_linear_search(void **state) {
        static struct idmap_range ranges[OWNERS][3];
        static struct idmap maps[OWNERS];
        bool present[OWNERS] = { false };
        struct uidindex *x = NULL;

        assert_int_equal(uidindex_new(&x), 0);
        for (int step = 0; step < 20000; step++) {
                int i = (int) random_below(OWNERS);
                uint32_t asked = random_below(200000), inner = 0, expected;
                const struct idmap *found;
                bool anybody = false;

                if (present[i]) {
                        uidindex_remove(x, &maps[i], &maps[i]);
                        present[i] = false;
                } else {
                        uint32_t start = 1 + random_below(50000);

                        for (int k = 0; k < 3; k++) {
                                ranges[i][k] =
                                        (struct idmap_range){ random_below(1000), start, 1 + random_below(3000) };
                                start += ranges[i][k].count + random_below(20000);
                        }
                        maps[i] = (struct idmap){ ranges[i], 1 + random_below(3) };
                        assert_int_equal(uidindex_add(x, &maps[i], &maps[i]), 0);
                        present[i] = true;
                }
                for (int k = 0; k < OWNERS && !anybody; k++)
                        anybody = present[k] && idmap_to_inner(&maps[k], asked, &expected) >= 0;
                found = uidindex_find(x, asked, &inner);
                assert_int_equal(found != NULL, anybody);
                if (found) {
                        assert_true(present[found - maps]);
                        assert_int_equal(idmap_to_inner(found, asked, &expected), 0);
                        assert_int_equal(inner, expected);
                }
        }
        uidindex_free(x);
}

static void test_the_last_id(void **state) {
        struct idmap_range range = { 0, UINT32_MAX - 9, 10 };
        struct idmap map = { &range, 1 };
        struct uidindex *x = NULL;
        uint32_t inner = 0;

        assert_int_equal(uidindex_new(&x), 0);
        assert_int_equal(uidindex_add(x, "owner", &map), 0);
        assert_non_null(uidindex_find(x, UINT32_MAX, &inner));
        assert_int_equal(inner, 9);
        assert_null(uidindex_find(x, UINT32_MAX - 10, &inner));
        uidindex_free(x);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_against_a_linear_search),
        cmocka_unit_test(test_the_last_id),
};

RUN_TESTS(tests)
