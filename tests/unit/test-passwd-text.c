/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Databases as distributions write them, and as somebody inside may write them to get a better user. */
#include "unit.h"

#include <errno.h>

#include "base/str.h"
#include "codec/passwd-text.h"

#define DEBIAN                                              \
        "root:x:0:0:root:/root:/bin/bash\n"                 \
        "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n" \
        "alice:x:1000:1000:Alice,,,:/home/alice:/bin/zsh\n" \
        "4711:x:1001:1001::/home/number:/bin/sh\n"          \
        "nobody:x:65534:65534:nobody:/nonexistent:\n"

static void test_users(void **state) {
        static const struct {
                const char *text, *name;
                int error;
                uint32_t uid, gid;
                const char *home, *shell;
        } cases[] = {
                { DEBIAN, "alice", 0, 1000, 1000, "/home/alice", "/bin/zsh" },
                { DEBIAN, "nobody", 0, 65534, 65534, "/nonexistent", NULL },
                { DEBIAN, "1", 0, 1, 1, "/usr/sbin", "/usr/sbin/nologin" },
                { DEBIAN, "4711", 0, 1001, 1001, "/home/number", "/bin/sh" }, /* a name before a number */
                { DEBIAN, "1001", 0, 1001, 1001, "/home/number", "/bin/sh" },
                { DEBIAN, "bob", -ENOENT, 0, 0, NULL, NULL },
                { DEBIAN, "alic", -ENOENT, 0, 0, NULL, NULL },
                { DEBIAN, "", -ENOENT, 0, 0, NULL, NULL },
                { DEBIAN, "alice:x", -ENOENT, 0, 0, NULL, NULL },
                { "", "root", -ENOENT, 0, 0, NULL, NULL },
                { "\n\n\n", "root", -ENOENT, 0, 0, NULL, NULL },
                { "a:x:5:6:::", "a", 0, 5, 6, NULL, NULL }, /* no newline at the end */
                { "a:x:5:6::relative:also", "a", 0, 5, 6, NULL, NULL },
                { "a:x:5:6::/h/:../../x", "a", 0, 5, 6, "/h/", NULL },
                /* the first entry of a name wins, if it is one */
                { "a:x:5:6::/1:/1\na:x:0:0::/2:/2", "a", 0, 5, 6, "/1", "/1" },
                { "a:x:zero:6::/1:/1\na:x:7:8::/2:/2", "a", 0, 7, 8, "/2", "/2" },
                { "a:x:5:6::/h\na:x:7:8::/2:/2", "a", 0, 7, 8, "/2", "/2" },
                { "a:x:5:6::/h:/s:more\na:x:7:8::/2:/2", "a", 0, 7, 8, "/2", "/2" },
                /* numbers that are none, or mean something else to the kernel */
                { "a:x:-1:0::/:/", "a", -ENOENT, 0, 0, NULL, NULL },
                { "a:x:4294967295:0::/:/", "a", -ENOENT, 0, 0, NULL, NULL },
                { "a:x:0:4294967295::/:/", "a", -ENOENT, 0, 0, NULL, NULL },
                { "a:x:4294967296:0::/:/", "a", -ENOENT, 0, 0, NULL, NULL },
                { "a:x: 5:6::/:/", "a", -ENOENT, 0, 0, NULL, NULL },
                { "a:x:0x0:6::/:/", "a", -ENOENT, 0, 0, NULL, NULL },
                { "a:x::6::/:/", "a", -ENOENT, 0, 0, NULL, NULL },
                { "a:x:4294967294:4294967294::/:/", "a", 0, 4294967294, 4294967294, "/", "/" },
                { "+::::::\na:x:1:2::/:/\n", "a", 0, 1, 2, "/", "/" },
                { "a:x:5:6::/h\r:/s\r\n", "a", 0, 5, 6, "/h\r", "/s\r" }, /* bytes are bytes */
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct passwd_entry e = { 0 };
                int r = passwd_find(cases[i].text, strlen(cases[i].text), cases[i].name, &e);

                if (r != cases[i].error || e.uid != cases[i].uid || e.gid != cases[i].gid ||
                    !streq_ptr(e.home, cases[i].home) || !streq_ptr(e.shell, cases[i].shell))
                        fail_msg("%s in \"%s\": %d, %u:%u %s %s", cases[i].name, cases[i].text, r, e.uid, e.gid,
                                 strempty(e.home), strempty(e.shell));
                passwd_entry_done(&e);
        }
}

/* A NUL in a line, or a line without end, is no entry; what follows is. */
static void test_foreign_bytes(void **state) {
        static const char nul[] = "a:x:0:0::/\0:/\na:x:5:6::/h:/s\n";
        AUTO_FREE char *endless = malloc(70000 + sizeof("\na:x:5:6::/h:/s\n"));
        struct passwd_entry e;

        assert_int_equal(passwd_find(nul, sizeof(nul) - 1, "a", &e), 0);
        assert_int_equal(e.uid, 5);
        passwd_entry_done(&e);
        assert_non_null(endless);
        memset(endless, 'a', 70000);
        memcpy(endless, "a:x:0:0:", 8);
        memcpy(endless + 69990, ":/home:/sh", 10);
        strcpy(endless + 70000, "\na:x:5:6::/h:/s\n");
        assert_int_equal(passwd_find(endless, strlen(endless), "a", &e), 0);
        assert_int_equal(e.uid, 5);
        passwd_entry_done(&e);
}

static void test_groups(void **state) {
        static const struct {
                const char *text, *name;
                size_t max;
                int error;
                size_t n;
                uint32_t expected[4];
        } cases[] = {
                { "", "alice", 8, 0, 0, { 0 } },
                { "sudo:x:27:bob,alice\nroot:x:0:\nvideo:x:44:alice\n", "alice", 8, 0, 2, { 27, 44 } },
                { "sudo:x:27:bob,alice2,xalice,ali\n", "alice", 8, 0, 0, { 0 } },
                { "a:x:100:alice\nb:x:27:alice\nc:x:27:alice", "alice", 8, 0, 2, { 100, 27 } }, /* each once */
                { "root:x:0:alice", "alice", 8, 0, 1, { 0 } },
                { "a:x:-1:alice\nb:x:4294967295:alice\nc:x:x:alice\nd:x::alice\n", "alice", 8, 0, 0, { 0 } },
                { "a:x:1:alice:more\nb:x:2\nalice\n:::\n", "alice", 8, 0, 0, { 0 } },
                { "a:x:1:,,alice,,\n", "alice", 8, 0, 1, { 1 } },
                { "a:x:1:alice\nb:x:2:alice\n", "alice", 2, 0, 2, { 1, 2 } },
                { "a:x:1:alice\nb:x:2:alice\n", "alice", 1, -E2BIG, 0, { 0 } },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_FREE uint32_t *v = NULL;
                size_t n = 0;

                assert_int_equal(group_list(cases[i].text, strlen(cases[i].text), cases[i].name, cases[i].max, &v, &n),
                                 cases[i].error);
                if (n != cases[i].n || (n && memcmp(v, cases[i].expected, n * sizeof(*v)) != 0))
                        fail_msg("%s: %zu groups", cases[i].text, n);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_foreign_bytes),
                cmocka_unit_test(test_groups),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
