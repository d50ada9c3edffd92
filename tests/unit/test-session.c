/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "core/session.h"

static void test_users(void **state) {
        static const struct {
                const char *user;
                bool valid;
        } cases[] = {
                { "root", true },        { "0", true },        { "1000", true },         { "4294967294", true },
                { "a b", true },         { "\xc3\xa4", true }, { "user@domain", true },  { "", false },
                { "4294967295", false }, { "65535", false },   { "99999999999", false }, { "a:b", false },
                { "a/b", false },        { "../etc", false },  { "a\n", false },         { " a", false },
                { "a ", false },         { "-a", false },      { "a\x7f", false },
        };
        char large[SESSION_USER_MAX + 2];

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (session_user_is_valid(cases[i].user) != cases[i].valid)
                        fail_msg("'%s'", cases[i].user);
        memset(large, 'a', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        assert_false(session_user_is_valid(large));
        assert_true(session_user_is_valid(large + 1));
}

static void test_assignments(void **state) {
        static const struct {
                const char *text;
                bool valid;
        } cases[] = {
                { "A=b", true },    { "_=", true },     { "a1=b=c", true },      { "A=\n\x1b", true },
                { "", false },      { "=b", false },    { "A", false },          { "1A=b", false },
                { "A-B=c", false }, { "A B=c", false }, { "\xc3\xa4=b", false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (session_assignment_is_valid(cases[i].text) != cases[i].valid)
                        fail_msg("'%s'", cases[i].text);
}

/* What session_check() names as wrong; "" for nothing. */
static const char *wrong(const struct session *s) {
        static struct diag d;

        d = (struct diag){ 0 };
        if (session_check(s, &d) == 0)
                return "";
        assert_true(*d.text);
        return d.field;
}

static void test_check(void **state) {
        char *ls[] = { (char *) "ls", NULL }, *nothing[] = { (char *) "", NULL }, *bad[] = { (char *) "1=2", NULL };
        struct session s = { .kind = SESSION_COMMAND };

        assert_string_equal(wrong(&s), "arguments");
        s.arguments = nothing;
        assert_string_equal(wrong(&s), "arguments");
        s.arguments = ls;
        assert_string_equal(wrong(&s), "");
        s.environment = bad;
        assert_string_equal(wrong(&s), "environment");
        s.environment = NULL;
        s.user = (char *) "a:b";
        assert_string_equal(wrong(&s), "user");
        s.user = NULL;
        s.directory = (char *) "tmp";
        assert_string_equal(wrong(&s), "workingDirectory");
        s.directory = NULL;
        s.detach = s.terminal = true;
        assert_string_equal(wrong(&s), "detach");
        s.kind = SESSION_SHELL;
        assert_string_equal(wrong(&s), "");
        s.argv0 = true;
        assert_string_equal(wrong(&s), "arguments");
        s.argv0 = false;
        s.kind = SESSION_LOGIN;
        assert_string_equal(wrong(&s), "arguments");
        s.arguments = NULL;
        assert_string_equal(wrong(&s), "");
}

static void test_too_much(void **state) {
        struct session s = { .kind = SESSION_COMMAND };
        char *word = malloc(SESSION_TEXT_MAX + 1);

        assert_non_null(word);
        memset(word, 'x', SESSION_TEXT_MAX);
        word[SESSION_TEXT_MAX] = '\0';
        s.arguments = (char *[]){ word, NULL };
        assert_string_equal(wrong(&s), "arguments");
        s.arguments[0] = word + 1;
        assert_string_equal(wrong(&s), "");
        free(word);
        s.arguments = calloc(SESSION_ARGUMENTS_MAX + 2, sizeof(char *));
        assert_non_null(s.arguments);
        for (size_t i = 0; i <= SESSION_ARGUMENTS_MAX; i++)
                s.arguments[i] = (char *) "x";
        assert_string_equal(wrong(&s), "arguments");
        s.arguments[SESSION_ARGUMENTS_MAX] = NULL;
        assert_string_equal(wrong(&s), "");
        free(s.arguments);
}

static void test_kinds(void **state) {
        for (int i = 0; i < _SESSION_KIND_MAX; i++)
                assert_int_equal(session_kind_from_string(session_kind_to_string((enum session_kind) i)), i);
        assert_int_equal(session_kind_from_string("banana"), -EINVAL);
}

/* Nobody but root takes the place of all others. */
static void test_share(void **state) {
        assert_int_equal(session_fits(0, 0, 1000), 0);
        assert_int_equal(session_fits(SESSIONS_OF_USER, SESSIONS_OF_USER - 1, 1000), 0);
        assert_int_equal(session_fits(SESSIONS_OF_USER, SESSIONS_OF_USER, 1000), -EDQUOT);
        assert_int_equal(session_fits(SESSIONS_OF_USER, SESSIONS_OF_USER, 0), 0);
        assert_int_equal(session_fits(SESSIONS_MAX - 1, SESSIONS_MAX - 1, 0), 0);
        assert_int_equal(session_fits(SESSIONS_MAX, SESSIONS_MAX, 0), -ENOBUFS);
        assert_int_equal(session_fits(SESSIONS_MAX, 0, 1000), -ENOBUFS);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),    cmocka_unit_test(test_assignments), cmocka_unit_test(test_check),
        cmocka_unit_test(test_too_much), cmocka_unit_test(test_kinds),       cmocka_unit_test(test_share),
};
RUN_TESTS(tests)
