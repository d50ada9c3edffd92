/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings files: lines, values, trust. */
#include "unit.h"

#include <errno.h>

#include "base/str.h"
#include "spec/spec-ini.h"

struct heard {
        unsigned count, line; /* of the first one */
        char text[256];
};

static void hear(unsigned line, const char *text, void *userdata) {
        struct heard *h = userdata;

        if (h->count++ > 0)
                return;
        h->line = line;
        strncpy(h->text, text, sizeof(h->text) - 1);
}

static int parse(const char *text, bool trusted, struct spec *ret, struct heard *h) {
        struct diag d = { 0 };
        /* Exactly the bytes, so that a sanitizer sees a read behind them. */
        AUTO_FREE char *copy = malloc(strlen(text) ? strlen(text) : 1);

        assert_non_null(copy);
        memcpy(copy, text, strlen(text));
        memset(h, 0, sizeof(*h));
        return spec_from_ini(copy, strlen(text), trusted, hear, h, ret, &d);
}

static void parse_silent(const char *text, struct spec *ret) {
        struct heard h;

        assert_int_equal(parse(text, true, ret, &h), 0);
        if (h.count > 0)
                print_message("%u: %s\n", h.line, h.text);
        assert_int_equal(h.count, 0);
}

/* Each is one warning at the line, and changes nothing. */
static void test_warnings(void **state) {
        static const struct {
                const char *text, *part;
                unsigned line;
        } cases[] = {
                { "Boot=yes\n", "before the first section", 1 },
                { "[Exec]\nBoot\n", "no '='", 2 },
                { "[Exec]\n=yes\n", "no key", 2 },
                { "[Exec]\nhostname=x\n", "no hostname=", 2 },
                { "[Exec]\nFoo=x\n", "no Foo= in section [Exec]", 2 },
                { "[exec]\nHostname=x\n", "no section [exec]", 1 },
                { "[Other]\nHostname=x\nnonsense\n", "no section [Other]", 1 },
                { "[Files]\nBoot=yes\n", "no Boot=", 2 },
                { "[Exec]\nBoot=maybe\n", "Boot=maybe", 2 },
                { "[Exec]\n\n# c\nHostname=a_b\n", "letters, digits", 4 },
                { "[Exec]\nHostname=a \\\n b\n", "letters, digits", 2 },
                { "[Exec]\nCapability=CAP_NONE\n", "no such capability", 2 },
                { "[Exec]\nKillSignal=FOO\n", "SIGRTMIN+3", 2 },
                { "[Exec]\nPersonality=vax\n", "architecture", 2 },
                { "[Exec]\nMachineID=0\n", "32 hexadecimal", 2 },
                { "[Exec]\nLimitNOFILE=9:3\n", "not be above", 2 },
                { "[Exec]\nLimitFOO=9\n", "no LimitFOO=", 2 },
                { "[Exec]\nNotifyReady=2\n", "yes or no", 2 },
                { "[Exec]\nWorkingDirectory=usr\n", "absolute path", 2 },
                { "[Exec]\nEnvironment=A=1 \"B=2\n", "every quote closed", 2 },
                { "[Exec]\nParameters=a 'b\n", "every quote closed", 2 },
                { "[Exec]\nEnvironment=HOME\n", "NAME=VALUE", 2 },
                { "[Files]\nVolatile=maybe\n", "yes, no, state or overlay", 2 },
                { "[Files]\nBind=a:b\n", "absolute", 2 },
                { "[Files]\nOverlay=/a\n", "at least two", 2 },
                { "[Network]\nZone=thirteenchars\n", "1 to 12", 2 },
                { "[Network]\nPort=0\n", "1 to 65535", 2 },
                { "[Network]\nBridge=a/b\n", "1 to 15", 2 },
                { "[Network]\nVirtualEthernetExtra=a/b\n", "1 to 15", 2 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct heard h;
                struct spec s;

                assert_int_equal(parse(cases[i].text, true, &s, &h), 0);
                if (!strstr(h.text, cases[i].part) || h.count != 1 || s.set != 0)
                        print_message("%s: %u: %s\n", cases[i].text, h.line, h.text);
                assert_int_equal(h.count, 1);
                assert_int_equal(h.line, cases[i].line);
                assert_non_null(strstr(h.text, cases[i].part));
                assert_int_equal(s.set, 0);
                spec_done(&s);
        }
}

static void test_refused(void **state) {
        static const struct {
                const char *text;
                unsigned line;
        } cases[] = {
                { "[Exec\nBoot=yes\n", 1 },
                { "[", 1 },
                { "[Exec]\nHostname=\xff\n", 2 },
                { "[Exec]\nHostname=\xc0\xaf\n", 2 },
                { "[Network]\n\nInterface=a/b\n", 3 },
                { "[Network]\nMACVLAN=ok sixteencharacter\n", 2 },
                { "[Network]\nIPVLAN=1\n", 2 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct diag d = { 0 };
                struct spec s;

                assert_int_equal(spec_from_ini(cases[i].text, strlen(cases[i].text), true, NULL, NULL, &s, &d),
                                 -EBADMSG);
                assert_int_equal(d.line, cases[i].line);
                assert_true(strlen(d.text) > 10);
        }
        assert_int_equal(spec_from_ini("[Exec]\nUser=\0x\n", 15, true, NULL, NULL, &(struct spec){ 0 }, NULL),
                         -EBADMSG);
}

static void test_limits(void **state) {
        size_t size = SPEC_FILE_MAX + 1;
        AUTO_FREE char *text = malloc(size);
        struct diag d = { 0 };
        struct spec s;

        assert_non_null(text);
        memset(text, 'a', size);
        assert_int_equal(spec_from_ini(text, size, true, NULL, NULL, &s, &d), -E2BIG);
        assert_int_equal(spec_from_ini(text, SPEC_LINE_MAX + 1, true, NULL, NULL, &s, &d), -E2BIG);
        assert_int_equal(d.line, 1);
        memset(text, '\n', SPEC_FILE_MAX);
        assert_int_equal(spec_from_ini(text, SPEC_FILE_MAX, true, NULL, NULL, &s, &d), 0);
        spec_done(&s);
}

/* One more than there may be, and another one: two warnings. */
static void test_too_many(void **state) {
        static const struct {
                const char *section, *before, *behind; /* the number */
        } cases[] = {
                { "Network", "Port=", "" },           { "Network", "MACVLAN=i", "" },    { "Files", "Bind=/", "" },
                { "Exec", "Parameters=", "" },        { "Exec", "Environment=A", "=1" }, { "Files", "BindUser=u", "" },
                { "Exec", "SystemCallFilter=c", "" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf text = BUF_EMPTY;
                struct heard h;
                struct spec s;

                buf_printf(&text, "[%s]\n", cases[i].section);
                for (unsigned n = 1; n <= 4098; n++)
                        buf_printf(&text, "%s%u%s\n", cases[i].before, n, cases[i].behind);
                assert_int_equal(parse(text.data, true, &s, &h), 0);
                assert_int_equal(h.count, 2);
                assert_int_equal(h.line, 4098);
                spec_done(&s);
        }
}

/* What is fine, and what the host name is then. */
static void test_lexing(void **state) {
        static const struct {
                const char *text, *hostname;
        } cases[] = {
                { "", NULL },
                { "[Exec]\nHostname=web", "web" },
                { "\xef\xbb\xbf[Exec]\nHostname=web\n", "web" },
                { "# first\n\xef\xbb\xbf[Exec]\nHostname=web\n", "web" },
                { "[Exec]\r\nHostname=web\r\n", "web" },
                { " [Exec] \n \t Hostname = spaced \n", "spaced" },
                { "[Exec]\n;c\n  # c\nHostname=a\nHostname=b\n", "b" },
                { "[Exec]\nHostname=a\nHostname=\n", NULL },
                { "[Exec]\nHost\\\nname=a\nX-Foo=1\n", NULL },
                { "[X-Mine]\nHostname=no\nanything\n[Exec]\nHostname=yes\n", "yes" },
                { "[Exec]\nHostname= \\\n# between\n web\n", "web" },
                { "[Exec]\nHostname=web \\", "web" },
                { "[Files]\n[Exec]\nHostname=web\n", "web" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct heard h;
                struct spec s;

                assert_int_equal(parse(cases[i].text, false, &s, &h), 0);
                assert_int_equal(h.count, strstr(cases[i].text, "Host\\") != NULL);
                assert_true(streq_ptr(s.hostname, cases[i].hostname));
                assert_int_equal(spec_has(&s, SPEC_HOSTNAME), cases[i].hostname != NULL);
                spec_done(&s);
        }
}

static void check_list(char *const *found, const char *const *expected) {
        size_t n = 0;

        for (; expected[n]; n++)
                assert_string_equal(found[n], expected[n]);
        assert_int_equal(strv_length(found), n);
}

static void test_words(void **state) {
        struct spec s;

        parse_silent("[Exec]\nEnvironment=A=1 \\\n# comment\n  ; comment\nB=2\n", &s);
        check_list(s.environment, (const char *const[]){ "A=1", "B=2", NULL });
        spec_done(&s);
        parse_silent("[Exec]\nEnvironment=\"A=x\\ty\" B=a\\\\b \"C=it's\"\n", &s);
        check_list(s.environment, (const char *const[]){ "A=x\\ty", "B=a\\\\b", "C=it's", NULL });
        spec_done(&s);
        parse_silent("[Exec]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\n", &s);
        check_list(s.environment, (const char *const[]){ "B=2", NULL });
        spec_done(&s);
        parse_silent("[Exec]\nParameters=bash -c 'echo \"$0\"' \"foo bar\"\nParameters='bar baz' \"\"\n", &s);
        check_list(s.command, (const char *const[]){ "bash", "-c", "echo \"$0\"", "foo bar", "bar baz", "", NULL });
        assert_false(s.start_mode_set);
        assert_true(spec_has(&s, SPEC_START));
        spec_done(&s);
}

static void test_start_mode(void **state) {
        static const struct {
                const char *text;
                enum start_mode mode;
                bool set;
                unsigned warnings;
        } cases[] = {
                { "Boot=yes", START_BOOT, true, 0 },
                { "Boot=no", START_PID1, true, 0 },
                { "ProcessTwo=Yes", START_PID2, true, 0 },
                { "Boot=yes\nProcessTwo=yes", START_BOOT, true, 1 },
                { "ProcessTwo=yes\nBoot=yes", START_PID2, true, 1 },
                { "Boot=yes\nProcessTwo=no", START_BOOT, true, 0 },
                { "Boot=yes\nBoot=no\nProcessTwo=yes", START_PID2, true, 0 },
                { "Boot=yes\nBoot=", START_PID1, false, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[128] = "[Exec]\n";
                struct heard h;
                struct spec s;

                strcat(text, cases[i].text);
                assert_int_equal(parse(text, false, &s, &h), 0);
                assert_int_equal(h.count, cases[i].warnings);
                assert_int_equal(s.start_mode, cases[i].mode);
                assert_int_equal(s.start_mode_set, cases[i].set);
                spec_done(&s);
        }
}

#define FULL                                                                                                         \
        "[Exec]\nBoot=no\nHostname=web\nDropCapability=CAP_MKNOD CAP_KILL\nCapability=CAP_BPF nonsense 12\nUser=a\n" \
        "MachineID=0123456789abcdef0123456789abcdef\nLimitNOFILE=64:128\nOOMScoreAdjust=5\nWorkingDirectory=/usr\n"  \
        "Environment=A=1\nPrivateUsers=pick\nTimezone=off\nEphemeral=yes\n"                                          \
        "[Files]\nBind=/a:/b\nTemporaryFileSystem=/t\nReadOnly=on\nPrivateUsersChown=yes\nBindUser=x y\n"            \
        "[Network]\nVirtualEthernet=yes\nInterface=eth0 eth1:up\nPort=tcp:80\nPort=81\n"

static void test_trusted(void **state) {
        struct heard h;
        struct spec s;

        assert_int_equal(parse(FULL, true, &s, &h), 0);
        assert_int_equal(h.count, 1);
        assert_int_equal(h.line, 5);
        assert_non_null(strstr(h.text, "nonsense"));
        assert_int_equal(s.capabilities.add, UINT64_C(1) << 39 | 1U << 12);
        assert_int_equal(s.capabilities.drop, 1U << 27 | 1U << 5);
        assert_int_equal(s.rlimits[7].hard, 128);
        assert_int_equal(s.users_mode, USERS_PICK);
        assert_int_equal(s.ownership, OWNERSHIP_CHOWN);
        assert_int_equal(s.n_mounts, 2);
        assert_true(s.ephemeral && s.read_only && s.network.veth);
        assert_int_equal(s.network.n_links, 2);
        assert_int_equal(s.network.n_ports, 2);
        assert_int_equal(strv_length(s.bind_users), 2);
        spec_done(&s);
}

static void test_untrusted(void **state) {
        struct heard h;
        struct spec s;

        assert_int_equal(parse(FULL, false, &s, &h), 0);
        assert_int_equal(h.count, 14); /* one for each privileged line */
        assert_non_null(strstr(h.text, "Capability="));
        assert_non_null(strstr(h.text, "trusted"));
        assert_int_equal(s.capabilities.add, 0);
        assert_int_equal(s.capabilities.drop, 1U << 27 | 1U << 5);
        assert_string_equal(s.hostname, "web");
        assert_string_equal(s.chdir, "/usr");
        assert_string_equal(s.user, "a");
        assert_string_equal(s.environment[0], "A=1");
        assert_int_equal(s.timezone, TIMEZONE_OFF);
        assert_true(s.read_only);
        assert_false(s.ephemeral || s.network.veth || s.rlimits[7].set || s.oom_score_adjust_set);
        assert_int_equal(s.users_mode, USERS_NO);
        assert_int_equal(s.n_mounts + s.network.n_links + s.network.n_ports, 0);
        assert_null(s.bind_users);
        assert_false(spec_has(&s, SPEC_MOUNTS) || spec_has(&s, SPEC_NETWORK) || spec_has(&s, SPEC_USERS));
        spec_done(&s);
}

static void test_syscalls(void **state) {
        static const struct {
                const char *text;
                bool trusted;
                size_t rules;
                unsigned warnings;
        } cases[] = {
                { "[Exec]\nSystemCallFilter=~mount\n", false, 1, 0 },
                { "[Exec]\nSystemCallFilter=@keyring\n", false, 0, 1 },
                { "[Exec]\nSystemCallFilter=~mount\nSystemCallFilter=bpf\n", false, 0, 1 },
                { "[Exec]\nSystemCallFilter=~mount\nSystemCallFilter=bpf\n", true, 2, 0 },
                { "[Exec]\nSystemCallFilter=a\nSystemCallFilter=\nSystemCallFilter=~c\n", false, 1, 0 },
                { "[Exec]\nSystemCallFilter=a b\nSystemCallFilter=\nSystemCallFilter=~c\n", true, 1, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct heard h;
                struct spec s;

                assert_int_equal(parse(cases[i].text, cases[i].trusted, &s, &h), 0);
                assert_int_equal(h.count, cases[i].warnings);
                assert_int_equal(s.n_syscall_rules, cases[i].rules);
                assert_int_equal(spec_has(&s, SPEC_SYSCALL_FILTER), cases[i].rules > 0);
                spec_done(&s);
        }
}

static void test_resets(void **state) {
        struct spec s;

        parse_silent(
                "[Exec]\nUser=a\nUser=\nKillSignal=TERM\nKillSignal=\nNotifyReady=yes\nNotifyReady=\nLimitCPU="
                "5\nLimitCPU=\n"
                "CPUAffinity=1\nCPUAffinity=\nMachineID=0123456789abcdef0123456789abcdef\nMachineID=\nResolvConf="
                "off\nResolvConf=\n"
                "ConsoleLog=no\nConsoleLog=\nConsoleLogSize=1M\nConsoleLogSize=\nConsoleLogFiles=3\nConsoleLogFiles=\n"
                "Timezone=off\nTimezone=\nOOMScoreAdjust=5\nOOMScoreAdjust=\nPivotRoot=/a:/"
                "b\nPivotRoot=\nWorkingDirectory=/a\n"
                "WorkingDirectory=\n[Files]\nBindUser=a\nBindUser=\n[Network]\nPort=80\nPort=\nPort=80\nPort=\n",
                &s);
        assert_int_equal(s.set, 0);
        assert_null(s.user);
        assert_false(s.notify_ready || s.rlimits[0].set || s.oom_score_adjust_set);
        assert_int_equal(s.cpu_affinity_bytes + s.network.n_ports, 0);
        assert_true(id128_is_null(&s.uuid));
        assert_false(s.console_log_set);
        assert_int_equal(s.console_log_size + s.console_log_files, 0);
        assert_null(s.pivot_root_new);
        assert_null(s.bind_users);
        spec_done(&s);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warnings),   cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_too_many),   cmocka_unit_test(test_lexing),  cmocka_unit_test(test_words),
        cmocka_unit_test(test_start_mode), cmocka_unit_test(test_trusted), cmocka_unit_test(test_untrusted),
        cmocka_unit_test(test_syscalls),   cmocka_unit_test(test_resets),
};

RUN_TESTS(tests)
