/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges of user numbers: the same as systemd-nspawn gives to a machine of the same name. */
#include "unit.h"

#include <errno.h>

#include "base/str.h"
#include "plan/facts.h"
#include "plan/ids.h"

static void test_names(void **state) {
        static const struct {
                const char *machine;
                uint32_t base;
        } cases[] = {
                { "trixie-root", 321585152 },
                { "forky-root", 125239296 },
                { "c1", 1331822592 },
                { "foobar", 276955136 },
                { "zz", 360382464 },
                { "debian-tree", 1194065920 },
                { "fedora", 277413888 },
                { "my.container-01", 1388576768 },
                { "averyveryverylongmachinename", 1636696064 },
                { "tinyc", 1344798720 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint32_t base;

                assert_int_equal(ids_pick(1, 0, cases[i].machine, 0, &base), 0);
                assert_int_equal(base, cases[i].base);
                assert_true(ids_base_is_pickable(base));
        }
}

static void test_attempts(void **state) {
        static const uint32_t numbers[] = { 0,          1,          0xffff,     0x10000,    0x6ff6ffff,
                                            0x6ff70000, 0x6ff70001, 0x7fffffff, 0x80000000, UINT32_MAX };
        uint32_t base = 1;

        assert_int_equal(ids_pick(0, 131072, "c1", 5, &base), 0);
        assert_int_equal(base, 131072);
        assert_int_equal(ids_pick(2, 131072, "c1", 0, &base), 0);
        assert_int_equal(base, IDS_PICK_MIN);
        assert_int_equal(ids_pick(98, 131072, "c1", 0x12345678, &base), 0);
        assert_int_equal(base, 0x123c0000);
        assert_int_equal(ids_pick(99, 131072, "c1", 0, &base), -EBUSY);
        assert_int_equal(base, 0x123c0000);
        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                assert_int_equal(ids_pick(2, 0, "c1", numbers[i], &base), 0);
                assert_true(ids_base_is_pickable(base));
        }
}

static void test_pickable(void **state) {
        static const struct {
                uint32_t base;
                bool pickable;
        } cases[] = {
                { 0, false },          { 0x70000, false },    { 0x7ffff, false },    { 0x80000, true },
                { 0x80001, false },    { 0x90000, true },     { 0x6ffe0000, true },  { 0x6fff0000, true },
                { 0x6fff0001, false }, { 0x70000000, false }, { 0x7ffe0000, false }, { 0xfffe0000, false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(ids_base_is_pickable(cases[i].base), cases[i].pickable);
}

static void test_tree(void **state) {
        struct diag d = { 0 };
        uint32_t base = 7;

        assert_int_equal(ids_base_of_tree(0, 0, &base, &d), 0);
        assert_int_equal(base, 0);
        assert_int_equal(ids_base_of_tree(131072 + 5, 131072 + 9, &base, &d), 0);
        assert_int_equal(base, 131072);
        assert_int_equal(ids_base_of_tree(UINT32_MAX, UINT32_MAX, &base, &d), 0);
        assert_int_equal(base, 0xffff0000);
        assert_int_equal(ids_base_of_tree(131072, 0, &base, &d), -EINVAL);
        assert_int_equal(base, 0xffff0000);
        assert_string_equal(d.field, "--private-users");
        assert_non_null(strstr(d.text, "user 131072 and group 0,"));
}

#define FOREIGN IDS_FOREIGN_BASE

static void test_ownership(void **state) {
        static const struct {
                enum users_mode users;
                enum ownership_mode asked;
                uint32_t base, root;
                bool mappable;
                enum ownership_mode expected;
        } cases[] = {
                { USERS_NO, OWNERSHIP_CHOWN, 0, 0, true, OWNERSHIP_OFF },
                { USERS_PICK, OWNERSHIP_UNSET, 524288, 0, true, OWNERSHIP_MAP },
                { USERS_PICK, OWNERSHIP_UNSET, 524288, 0, false, OWNERSHIP_CHOWN },
                { USERS_PICK, OWNERSHIP_AUTO, 524288, 524288, true, OWNERSHIP_CHOWN },
                { USERS_PICK, OWNERSHIP_AUTO, 524288, IDS_PARKED_BASE, true, OWNERSHIP_CHOWN },
                { USERS_PICK, OWNERSHIP_AUTO, 524288, FOREIGN, true, OWNERSHIP_FOREIGN },
                { USERS_PICK, OWNERSHIP_AUTO, 524288, FOREIGN, false, OWNERSHIP_FOREIGN },
                { USERS_PICK, OWNERSHIP_OFF, 524288, 0, true, OWNERSHIP_OFF },
                { USERS_FIXED, OWNERSHIP_UNSET, 524288, 0, true, OWNERSHIP_OFF },
                { USERS_FIXED, OWNERSHIP_MAP, 1000, 0, false, OWNERSHIP_MAP }, /* fails later, and says so */
                { USERS_FIXED, OWNERSHIP_CHOWN, 0, 524288, true, OWNERSHIP_CHOWN },
                { USERS_TREE, OWNERSHIP_UNSET, 524288, 524288, true, OWNERSHIP_OFF },
                { USERS_TREE, OWNERSHIP_MAP, 0, 0, true, OWNERSHIP_OFF },
                { USERS_IDENTITY, OWNERSHIP_AUTO, 0, 0, true, OWNERSHIP_OFF },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct spec spec = { .users_mode = cases[i].users, .ownership = cases[i].asked };
                const struct facts facts = { .uid_base = cases[i].base,
                                             .uid_count = IDS_RANGE,
                                             .root_uid = cases[i].root,
                                             .tree_id_mappable = cases[i].mappable };

                if (ids_ownership(&spec, &facts) != cases[i].expected)
                        fail_msg("case %zu", i);
        }
}

static void test_ownership_check(void **state) {
        static const struct {
                enum ownership_mode asked;
                uint32_t base, count, uid, gid;
                bool read_only;
                const char *says; /* NULL: fine */
        } cases[] = {
                { OWNERSHIP_CHOWN, 524288, IDS_RANGE, 0, 0, false, NULL },
                { OWNERSHIP_CHOWN, 0, IDS_RANGE, 524288, 524288, false, NULL },
                { OWNERSHIP_CHOWN, 1000, IDS_RANGE, 0, 0, false, "multiple" },
                { OWNERSHIP_CHOWN, 524288, 1000, 0, 0, false, "1000 numbers" },
                { OWNERSHIP_CHOWN, 524288, IDS_RANGE, 524288, 0, false, "group 0" },
                { OWNERSHIP_CHOWN, 524288, IDS_RANGE, 0, 0, true, "--read-only" },
                { OWNERSHIP_CHOWN, 524288, IDS_RANGE, 524288, 524288, true, NULL },
                { OWNERSHIP_MAP, 1000, 10, 0, 0, true, NULL },
                { OWNERSHIP_MAP, 524288, IDS_RANGE, 524288, 524288, false, "user 524288 already" },
                { OWNERSHIP_FOREIGN, 524288, IDS_RANGE, 0, 0, false, "2147352576" },
                { OWNERSHIP_FOREIGN, 524288, IDS_RANGE, FOREIGN, FOREIGN, false, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct spec spec = { .users_mode = USERS_FIXED,
                                           .ownership = cases[i].asked,
                                           .read_only = cases[i].read_only };
                const struct facts facts = { .uid_base = cases[i].base,
                                             .uid_count = cases[i].count,
                                             .root_uid = cases[i].uid,
                                             .root_gid = cases[i].gid };
                struct diag diag = { 0 };
                int r = ids_ownership_check(&spec, &facts, &diag);

                if (!cases[i].says && r != 0)
                        fail_msg("case %zu: %s", i, diag.text);
                if (cases[i].says && (r != -EINVAL || !strstr(diag.text, cases[i].says)))
                        fail_msg("case %zu: %d, %s", i, r, diag.text);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_attempts),  cmocka_unit_test(test_pickable),
        cmocka_unit_test(test_tree),  cmocka_unit_test(test_ownership), cmocka_unit_test(test_ownership_check),
};

RUN_TESTS(tests)
