/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "core/name.h"
#include "core/user-name.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_machine_names(void **state) {
        static const char *const good[] = { A64, "UPPER", "1a", "cre-1.x", "a", "a.b.c", "a--b", "0" };
        static const char *const bad[] = { "",     ".",   "-",   "foo_bar", "x-",       "-x",
                                           "a..b", ".a",  "a.",  A64 "a",   ".host",    "a-.b",
                                           "a.-b", "a b", "a/b", "a\nb",    "\xc3\xa4", "a\x7f" };

        for (size_t i = 0; i < ELEMENTS(good); i++)
                if (!machine_name_is_valid(good[i]))
                        fail_msg("'%s' is refused", good[i]);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (machine_name_is_valid(bad[i]))
                        fail_msg("'%s' is taken", bad[i]);
}

static void test_foreign_names(void **state) {
        static const struct {
                const char *foreign, *stem; /* stem: what stands in front of the hash */
        } cases[] = {
                { "foo_bar", "foo-bar-" },
                { "foo bar", "foo-bar-" },
                { "foo..bar", "foo.bar-" },
                { "_a_", "a-" },
                { "", "" },
                { "___", "" },
                { ".host", "host-" },
                { "a.-b", "a.b-" },
                { "a-.b", "a-b-" },
                { "\xc3\xa4rger", "rger-" },
                { A64 "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-" },
                { "-x-", "x-" },
                { "../../etc/passwd", "etc-passwd-" },
        };
        char names[ELEMENTS(cases)][MACHINE_NAME_MAX + 1], same[MACHINE_NAME_MAX + 1];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                machine_name_from(cases[i].foreign, names[i]);
                assert_true(machine_name_is_valid(names[i]));
                assert_int_equal(strncmp(names[i], cases[i].stem, strlen(cases[i].stem)), 0);
                assert_int_equal(strlen(names[i]), strlen(cases[i].stem) + 8);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(names[i], names[k]);
        }
        assert_string_equal(names[0], "foo-bar-01efffdd"); /* for ever: people write it down */
        machine_name_from(A64, same);
        assert_string_equal(same, A64);
        machine_name_from("foo--bar.x", same);
        assert_string_equal(same, "foo--bar.x");
}

static void test_scope_names(void **state) {
        static const struct {
                const char *name, *scope;
        } cases[] = {
                { "web", "machine-web.scope" },
                { "cre-1.x", "machine-cre\\x2d1.x.scope" },
                { ".host", "machine-\\x2ehost.scope" },
                { "a/b\\", "machine-a-b\\x5c.scope" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_FREE char *scope = NULL;

                assert_int_equal(machine_scope_name(cases[i].name, &scope), 0);
                assert_string_equal(scope, cases[i].scope);
        }
}

static void test_unit_names(void **state) {
        assert_true(unit_name_is_valid("a.service"));
        assert_true(unit_name_is_valid("a@b.service"));
        assert_true(unit_name_is_valid("machine-cre\\x2d1.x.scope"));
        assert_true(unit_name_is_valid("machine.slice"));
        assert_false(unit_name_is_valid("a@.service"));
        assert_false(unit_name_is_valid("@a.service"));
        assert_false(unit_name_is_valid(".service"));
        assert_false(unit_name_is_valid("a.conf"));
        assert_false(unit_name_is_valid("a b.service"));
        assert_false(unit_name_is_valid(""));
        assert_true(slice_name_is_valid("-.slice"));
        assert_true(slice_name_is_valid("a-b.slice"));
        assert_false(slice_name_is_valid("-a.slice"));
        assert_false(slice_name_is_valid("a--b.slice"));
        assert_false(slice_name_is_valid("a-.slice"));
        assert_false(slice_name_is_valid("a/b.slice"));
        assert_false(slice_name_is_valid("a.scope"));
}

static void test_slice_paths(void **state) {
        static const struct {
                const char *slice, *path;
        } cases[] = {
                { "-.slice", "" },
                { "machine.slice", "machine.slice" },
                { "a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice" },
        };
        char *path = NULL;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(slice_path(cases[i].slice, &path), 0);
                assert_string_equal(path, cases[i].path);
                free(path);
        }
        assert_int_equal(slice_path("../x.slice", &path), -EINVAL);
}

static void test_units_of_cgroups(void **state) {
        static const struct {
                const char *path, *root, *unit, *subgroup; /* unit NULL: -ENXIO */
        } cases[] = {
                { "/machine.slice/machine-a.scope", "/", "machine-a.scope", NULL },
                { "/machine.slice/machine-a.scope/payload/x", "/", "machine-a.scope", "payload/x" },
                { "/a.slice/a-b.slice/c.service/", "/", "c.service", NULL },
                { "/x.scope", "/", "x.scope", NULL },
                { "/docker/123/machine.slice/m.scope", "/docker/123", "m.scope", NULL },
                { "/docker/1234/machine.slice/m.scope", "/docker/123", NULL, NULL },
                { "/machine.slice/_cgroup.service/a", "/", "cgroup.service", "a" },
                { "/", "/", NULL, NULL },
                { "", "/", NULL, NULL },
                { "/machine.slice", "/", NULL, NULL },
                { "/user", "/", NULL, NULL },
                { "/foo/bar.service", "/", NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_FREE char *unit = NULL, *subgroup = NULL;
                int r = cgroup_path_to_unit(cases[i].path, cases[i].root, &unit, &subgroup);

                if (!cases[i].unit) {
                        assert_int_equal(r, -ENXIO);
                        continue;
                }
                assert_int_equal(r, 0);
                assert_string_equal(unit, cases[i].unit);
                if (cases[i].subgroup)
                        assert_string_equal(subgroup, cases[i].subgroup);
                else
                        assert_null(subgroup);
        }
}

static void test_paths_and_texts(void **state) {
        assert_true(image_name_is_valid("we ird_1") && image_name_is_valid(".hidden") &&
                    image_name_is_valid("\xc3\xa4"));
        assert_false(image_name_is_valid("") || image_name_is_valid(".") || image_name_is_valid(".."));
        assert_false(image_name_is_valid("a/b") || image_name_is_valid(".#lock") || image_name_is_valid("a\n"));
        assert_false(image_name_is_valid("\xff"));
        assert_true(path_is_absolute_and_valid("/"));
        assert_true(path_is_absolute_and_valid("/srv/..web/a.b"));
        assert_false(path_is_absolute_and_valid("srv"));
        assert_false(path_is_absolute_and_valid(""));
        assert_false(path_is_absolute_and_valid("/a/../b"));
        assert_true(path_is_absolute("/a/../b"));
        assert_false(path_is_absolute("a/../b"));
        assert_false(path_is_absolute("/a\x7f"));
        assert_false(path_is_absolute_and_valid("/a/."));
        assert_false(path_is_absolute_and_valid("/a\n"));
        assert_true(text_is_valid("gr\xc3\xbc\xc3\x9f", 16));
        assert_true(text_is_valid("", 0));
        assert_false(text_is_valid("abc", 2));
        assert_false(text_is_valid("a\tb", 16));
        assert_false(text_is_valid("\xc3", 16));
        assert_false(text_is_valid("\xc0\x80", 16));     /* overlong */
        assert_false(text_is_valid("\xed\xa0\x80", 16)); /* surrogate */
        assert_false(text_is_valid("\xc2\x9b", 16));     /* a control character of the terminal */
}

static void test_names_of_users(void **state) {
        static const struct {
                const char *machine;
                uint32_t inside;
                const char *user; /* NULL: none */
        } made[] = {
                { "mini", 2, "vu-mini-2" },
                { "a-b-5", 0, "vu-a-b-5-0" },
                { "x", UINT32_MAX, "vu-x-4294967295" },
                { "aaaaaaaaaaaaaaaaaaaaaaaaaa", 1, "vu-aaaaaaaaaaaaaaaaaaaaaaaaaa-1" },
                { "aaaaaaaaaaaaaaaaaaaaaaaaaaa", 1, NULL },
                { A64, 4000000000, NULL },
                { "a.b", 1, NULL },
                { "", 1, NULL },
        };
        static const char *const refused[] = {
                "",        "vu-",    "vu-x",     "vu--5",   "vu-x-",  "vu-x-05", "vu-x-+5",         "vu-x- 5",
                "vu-x-5 ", "vg-x-5", "vu-a.b-5", "vu-x--5", "VU-x-5", "vu-x-5x", "vu-x-4294967296", "vu-" A64 "-5",
                "root"
        };
        char name[USER_NAME_MAX + 1], machine[MACHINE_NAME_MAX + 1];
        uint32_t inside;

        for (size_t i = 0; i < ELEMENTS(made); i++) {
                int r = user_name_make(false, made[i].machine, made[i].inside, name);

                if (r != (made[i].user ? 0 : -EINVAL))
                        fail_msg("%s: %d", made[i].machine, r);
                if (r < 0)
                        continue;
                assert_string_equal(name, made[i].user);
                assert_int_equal(user_name_parse(false, name, machine, &inside), 0);
                assert_string_equal(machine, made[i].machine);
                assert_int_equal(inside, made[i].inside);
        }
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (user_name_parse(false, refused[i], machine, &inside) != -EINVAL)
                        fail_msg("'%s' is taken", refused[i]);
        assert_int_equal(user_name_parse(true, "vg-x-5", machine, &inside), 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_names),   cmocka_unit_test(test_foreign_names),
        cmocka_unit_test(test_scope_names),     cmocka_unit_test(test_unit_names),
        cmocka_unit_test(test_slice_paths),     cmocka_unit_test(test_units_of_cgroups),
        cmocka_unit_test(test_paths_and_texts), cmocka_unit_test(test_names_of_users),
};

RUN_TESTS(tests)
