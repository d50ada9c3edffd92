/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What terminals are told, whatever the values hold, and that nothing is cut in the middle. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/terminal-context.h"

static const struct terminal_context full = {
        .id = "0123456789abcdef",
        .user = "root",
        .hostname = "host",
        .machine_id = "aa",
        .boot_id = "bb",
        .program = "muster-spawn",
        .pid = 4711,
        .container = "web",
};

#define RECORD                                                                                                        \
        "\033]3008;start=0123456789abcdef;user=root;hostname=host;machineid=aa;bootid=bb;pid=4711;comm=muster-spawn;" \
        "container=web;type=container\033\\"
#define OLD_TITLE "\033[23;2t"
#define SOFT_RESET "\033[?47l\033[?1000;1002;1003;1006l\033[!p\033[0m\033[?7h"
#define END "\033]3008;end=0123456789abcdef\033\\"

static void assert_told(const struct terminal_context *c, bool title, const char *begin, const char *end) {
        char text[TERMINAL_CONTEXT_MAX];

        assert_int_equal(terminal_context_begin(c, title, text, sizeof(text)), strlen(begin));
        assert_string_equal(text, begin);
        assert_int_equal(terminal_context_end(c, title, text, sizeof(text)), strlen(end));
        assert_string_equal(text, end);
}

static void test_told(void **state) {
        static const struct terminal_context bare = { .id = "x" }, unnamed = { .id = "x", .container = "a" };

        assert_told(&full, false, RECORD, END);
        assert_told(&full, true, RECORD "\033[22;2t\033]2;Container web on host\033\\", OLD_TITLE SOFT_RESET END);
        assert_told(&bare, true, "\033]3008;start=x;pid=0;type=container\033\\", "\033]3008;end=x\033\\");
        assert_told(&unnamed, true,
                    "\033]3008;start=x;pid=0;container=a;type=container\033\\\033[22;2t\033]2;Container a\033\\",
                    OLD_TITLE SOFT_RESET "\033]3008;end=x\033\\");
}

/* A value that could end the sequence, or the field. */
static void test_harmless(void **state) {
        const struct terminal_context c = { .id = "x",
                                            .hostname = "a;b\\\033\007\n\303\274\177 ~",
                                            .container = "\233;" };

        assert_told(
                &c, true,
                "\033]3008;start=x;hostname=a\\x3bb\\x5c\\x1b\\x07\\x0a\\xc3\\xbc\\x7f ~;pid=0;container=\\x9b\\x3b;"
                "type=container\033\\\033[22;2t\033]2;Container ?? on a?b??????? ~\033\\",
                OLD_TITLE SOFT_RESET "\033]3008;end=x\033\\");
}

static void test_room(void **state) {
        size_t whole = strlen(RECORD);

        for (size_t size = 0; size <= whole + 2; size++) {
                char *text = malloc(size); /* as large as that, for the sanitizer */
                size_t n;

                assert_true(size == 0 || text);
                n = terminal_context_begin(&full, false, text, size);
                assert_int_equal(n, size > whole ? whole : 0);
                if (size > 0)
                        assert_string_equal(text, n > 0 ? RECORD : "");
                n = terminal_context_end(&full, false, text, size);
                assert_int_equal(n, size > strlen(END) ? strlen(END) : 0);
                free(text);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_told),
                cmocka_unit_test(test_harmless),
                cmocka_unit_test(test_room),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
