/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams of well-behaved inits, and of others. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "codec/notify-text.h"

#define TEXT(s) (s), sizeof(s) - 1

static void test_cases(void **state) {
        static const struct {
                const char *text;
                size_t size;
                int r;
                bool ready;
                const char *status; /* NULL: none */
        } cases[] = {
                { TEXT("READY=1"), 0, true, NULL },
                { TEXT("READY=1\n"), 0, true, NULL },
                { TEXT("READY=1\0"), 0, true, NULL },
                { TEXT("READY=1\nSTATUS=Startup finished in 1.2s.\nX_SYSTEMD_SIGNALS_LEVEL=2"), 0, true,
                  "Startup finished in 1.2s." },
                { TEXT("X_SYSTEMD_UNIT_ACTIVE=basic.target\n\n\nSTATUS=\xc3\xa4 = b"), 0, false, "\xc3\xa4 = b" },
                { TEXT("STATUS="), 0, false, "" },
                { TEXT("STATUS=one\nSTATUS=two"), 0, false, "one" },
                { TEXT("READY=0"), 0, false, NULL },
                { TEXT("READY=11"), 0, false, NULL },
                { TEXT("READY="), 0, false, NULL },
                { TEXT("READY"), 0, false, NULL },
                { TEXT(" READY=1"), 0, false, NULL },
                { TEXT("XREADY=1\nREADY=1X\nSTATU=x\nSTOPPING=1\nMAINPID=1\nFDSTORE=1"), 0, false, NULL },
                { TEXT("\n"), 0, false, NULL },
                { TEXT("STATUS=a\033[2Jb"), 0, false, NULL },
                { TEXT("STATUS=a\tb\nREADY=1"), 0, true, NULL },
                { TEXT("STATUS=a\rREADY=1"), 0, false, NULL },
                { TEXT("STATUS=\xff"), 0, false, NULL },
                { TEXT("STATUS=\xff\nSTATUS=fine"), 0, false, "fine" },
                { TEXT(""), -EBADMSG, false, NULL },
                { TEXT("\0"), -EBADMSG, false, NULL },
                { TEXT("READY=1\0\0"), -EBADMSG, false, NULL },
                { TEXT("\0READY=1"), -EBADMSG, false, NULL },
                { TEXT("STATUS=a\0READY=1"), -EBADMSG, false, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct notify_text said = { .ready = true, .has_status = true };
                int r = notify_text_decode(cases[i].text, cases[i].size, &said);

                if (r != cases[i].r)
                        fail_msg("case %zu (%s): %d", i, cases[i].text, r);
                if (r < 0)
                        continue;
                if (said.ready != cases[i].ready || !streq_ptr(said.has_status ? said.status : NULL, cases[i].status))
                        fail_msg("case %zu (%s): ready %d, status %s", i, cases[i].text, said.ready,
                                 said.has_status ? said.status : "(none)");
        }
}

static void test_bounds(void **state) {
        char text[NOTIFY_TEXT_MAX + 1];
        struct notify_text said;

        memset(text, 'x', sizeof(text));
        memcpy(text, "STATUS=", 7);
        assert_int_equal(notify_text_decode(text, NOTIFY_TEXT_MAX, &said), 0);
        assert_true(said.has_status);
        assert_int_equal(strlen(said.status), NOTIFY_TEXT_MAX - 7);
        assert_int_equal(notify_text_decode(text, NOTIFY_TEXT_MAX + 1, &said), -EMSGSIZE);
}

static void test_descriptors(void **state) {
        static const struct {
                const char *text;
                bool store, remove;
                const char *name;
        } cases[] = {
                { "FDSTORE=1", true, false, "stored" },
                { "FDSTORE=1\nFDNAME=foo", true, false, "foo" },
                { "FDNAME=a.b-c_1\nFDSTOREREMOVE=1", false, true, "a.b-c_1" },
                { "FDSTORE=0\nFDSTOREREMOVE=yes", false, false, "stored" },
                { "FDSTORE=1\nFDNAME=", true, false, "stored" },
                { "FDSTORE=1\nFDNAME=a:b", true, false, "stored" },
                { "FDSTORE=1\nFDNAME=a b", true, false, "stored" },
                { "FDSTORE=1\nFDNAME=\xc3\xa4", true, false, "stored" },
                { "FDSTORE=1\nFDNAME=one\nFDNAME=two", true, false, "two" },
                { "READY=1", false, false, "stored" },
        };
        char longest[NOTIFY_FD_NAME_MAX + 8] = "FDNAME=";
        struct notify_text said;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(notify_text_decode(cases[i].text, strlen(cases[i].text), &said), 0);
                if (said.store != cases[i].store || said.remove != cases[i].remove ||
                    !streq(said.fd_name, cases[i].name))
                        fail_msg("%s: %d %d %s", cases[i].text, said.store, said.remove, said.fd_name);
        }
        memset(longest + 7, 'n', NOTIFY_FD_NAME_MAX);
        assert_int_equal(notify_text_decode(longest, 7 + NOTIFY_FD_NAME_MAX, &said), 0);
        assert_int_equal(strlen(said.fd_name), NOTIFY_FD_NAME_MAX);
        longest[7 + NOTIFY_FD_NAME_MAX] = 'n';
        assert_int_equal(notify_text_decode(longest, 8 + NOTIFY_FD_NAME_MAX, &said), 0);
        assert_string_equal(said.fd_name, "stored");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_bounds),
};

RUN_TESTS(tests)
