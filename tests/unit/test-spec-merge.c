/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command line and a file: which one wins, group by group. */
#include "unit.h"

#include "base/str.h"
#include "spec/spec-argv.h"
#include "spec/spec-ini.h"
#include "spec/spec-merge.h"

static void merge(const char *const *words, const char *text, bool file_wins, struct spec *ret) {
        AUTO(spec_done) struct spec file;
        const char *argv[16] = { "muster-spawn" };
        int n = 1;

        for (; words[n - 1]; n++)
                argv[n] = words[n - 1];
        assert_int_equal(spec_from_argv(n, (char *const *) argv, NULL, ret, NULL), 0);
        assert_int_equal(spec_from_ini(text, strlen(text), true, NULL, NULL, &file, NULL), 0);
        spec_merge(ret, &file, file_wins);
}

#define MERGE(text, file_wins, ret, ...) merge((const char *const[]){ __VA_ARGS__, NULL }, text, file_wins, ret)

static void test_groups(void **state) {
        static const char file[] =
                "[Exec]\nEnvironment=A=1 B=2\nHostname=fromfile\nLimitNOFILE=5\nLimitCORE=6\nBoot=yes\n"
                "Parameters=x\nCapability=CAP_BPF\nUser=a\n"
                "[Files]\nTemporaryFileSystem=/t\n[Network]\nVirtualEthernet=yes\nPort=80\n";
        struct spec s;

        MERGE(file, false, &s, "-E", "ONLY=1", "--rlimit=NOFILE=9", "--bind=/a:/b", "--drop-capability=CAP_KILL",
              "--private-network");
        assert_string_equal(s.environment[0], "ONLY=1");
        assert_null(s.environment[1]);
        assert_int_equal(s.rlimits[7].soft, 9);
        assert_int_equal(s.rlimits[4].soft, 6);
        assert_string_equal(s.hostname, "fromfile");
        assert_int_equal(s.n_mounts, 1);
        assert_string_equal(s.mounts[0].destination, "/b");
        assert_int_equal(s.capabilities.add, 0);
        assert_false(s.network.veth);
        assert_int_equal(s.network.n_ports, 1); /* a group of its own */
        assert_int_equal(s.start_mode, START_BOOT);
        assert_string_equal(s.command[0], "x");
        assert_true(spec_has(&s, SPEC_HOSTNAME));
        spec_done(&s);

        MERGE(file, true, &s, "-E", "ONLY=1", "--rlimit=NOFILE=9", "--bind=/a:/b", "--drop-capability=CAP_KILL",
              "--private-network", "--chdir=/x");
        assert_string_equal(s.environment[1], "B=2");
        assert_int_equal(s.rlimits[7].soft, 5);
        assert_int_equal(s.mounts[0].type, SPEC_MOUNT_TMPFS);
        assert_int_equal(s.n_mounts, 1);
        assert_true(s.network.veth);
        assert_string_equal(s.chdir, "/x"); /* the file says nothing about it */
        spec_done(&s);
}

static void test_start(void **state) {
        static const struct {
                const char *word, *file;
                bool file_wins;
                enum start_mode mode;
                const char *command;
        } cases[] = {
                { "-q", "Boot=yes\nParameters=x", false, START_BOOT, "x" },
                { "-q", "Parameters=x", false, START_PID1, "x" },
                { "-a", "Boot=yes\nParameters=x", false, START_PID2, NULL },
                { "word", "Boot=yes\nParameters=x", false, START_PID1, "word" },
                { "-b", "Parameters=x", true, START_BOOT, "x" },
                { "-b", "Boot=no\nParameters=x", true, START_PID1, "x" },
                { "word", "ProcessTwo=yes", true, START_PID2, NULL },
                { "-b", "Hostname=x", true, START_BOOT, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[64] = "[Exec]\n";
                struct spec s;

                strcat(text, cases[i].file);
                MERGE(text, cases[i].file_wins, &s, cases[i].word);
                assert_int_equal(s.start_mode, cases[i].mode);
                assert_true(streq_ptr(s.command ? s.command[0] : NULL, cases[i].command));
                spec_done(&s);
        }
}

/* Every key, alone in a file, reaches the spec: no group was forgotten in the table. */
static void test_every_key(void **state) {
        static const struct {
                const char *key, *value;
        } values[] = {
                { "Boot", "yes" },
                { "Ephemeral", "yes" },
                { "ProcessTwo", "yes" },
                { "Parameters", "x" },
                { "Environment", "A=1" },
                { "User", "x" },
                { "Capability", "CAP_BPF" },
                { "AmbientCapability", "CAP_KILL" },
                { "DropCapability", "CAP_KILL" },
                { "KillSignal", "TERM" },
                { "Personality", NULL },
                { "MachineID", "0123456789abcdef0123456789abcdef" },
                { "WorkingDirectory", "/x" },
                { "PivotRoot", "/x" },
                { "PrivateUsers", "pick" },
                { "PrivateUsersDelegate", "1" },
                { "NotifyReady", "yes" },
                { "SystemCallFilter", "bpf" },
                { "Hostname", "x" },
                { "NoNewPrivileges", "yes" },
                { "OOMScoreAdjust", "1" },
                { "CPUAffinity", "1" },
                { "ResolvConf", "off" },
                { "LinkJournal", "no" },
                { "Timezone", "off" },
                { "SuppressSync", "yes" },
                { "RestrictAddressFamilies", "none" },
                { "ConsoleLog", "journal" },
                { "ConsoleLogSize", "1M" },
                { "ConsoleLogFiles", "3" },
                { "ReadOnly", "yes" },
                { "Volatile", "yes" },
                { "Bind", "/x" },
                { "BindReadOnly", "/x" },
                { "TemporaryFileSystem", "/x" },
                { "Inaccessible", "/x" },
                { "Overlay", "/x:/y" },
                { "OverlayReadOnly", "/x:/y" },
                { "PrivateUsersChown", "yes" },
                { "PrivateUsersOwnership", "map" },
                { "BindUser", "x" },
                { "BindUserShell", "yes" },
                { "Private", "yes" },
                { "NamespacePath", "/x" },
                { "Interface", "x" },
                { "MACVLAN", "x" },
                { "IPVLAN", "x" },
                { "VirtualEthernet", "yes" },
                { "VirtualEthernetExtra", "x" },
                { "Bridge", "x" },
                { "Zone", "x" },
                { "Port", "80" },
        };
        const char *section, *key;
        bool privileged;

        for (size_t n = 0; spec_ini_key(n, &section, &key, &privileged); n++) {
                const char *value = startswith(key, "Limit") && !streq(key, "LinkJournal") ? "5" : NULL;
                AUTO_BUF struct buf text = BUF_EMPTY;
                struct spec s, empty;
                uint64_t set;

                for (size_t i = 0; i < ELEMENTS(values); i++)
                        if (streq(values[i].key, key))
                                value = values[i].value;
                if (streq(key, "Personality")) /* differs by architecture */
                        continue;
                assert_non_null(value); /* a new key needs a row here */
                buf_printf(&text, "[%s]\n%s=%s\n", section, key, value);
                MERGE(text.data, false, &s, "-q");
                assert_true(s.set != 0);
                /* But for the mask and -q, something has to be different from nothing. */
                set = s.set;
                s.set = 0;
                s.quiet = false;
                spec_init(&empty);
                if (memcmp(&s, &empty, sizeof(s)) == 0)
                        print_message("[%s] %s= is not merged\n", section, key);
                assert_memory_not_equal(&s, &empty, sizeof(s));
                s.set = set;
                spec_done(&s);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_every_key),
};

RUN_TESTS(tests)
