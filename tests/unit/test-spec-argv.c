/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines as people write them, and what becomes of them. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "spec/af-names.h"
#include "spec/spec-argv.h"
#include "spec/spec-setters.h"

#define WORDS_MAX 32
#define LABEL_OF_64 "u:r:t:s0:c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16,"
#define LABEL_OF_256 LABEL_OF_64 LABEL_OF_64 LABEL_OF_64 LABEL_OF_64

static char *const no_environment[] = { NULL };

/* Splits at blanks; '^' stands for a blank inside of a word. */
static int parse_with(const char *line, char *const *env, struct spec *ret, struct diag *d) {
        static char text[1024];
        char *words[WORDS_MAX] = { (char *) "muster-spawn" }, *state = NULL;
        int n = 1;

        assert_true(strlen(line) < sizeof(text));
        strcpy(text, line);
        for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
                for (char *c = word; *c; c++)
                        *c = *c == '^' ? ' ' : *c;
                words[n++] = word;
        }
        memset(d, 0, sizeof(*d));
        return spec_from_argv(n, words, env, ret, d);
}

static void parse_good(const char *line, struct spec *ret) {
        struct diag d;
        int r = parse_with(line, no_environment, ret, &d);

        if (r != 0)
                print_message("%s: %s\n", line, d.text);
        assert_int_equal(r, 0);
}

static void test_refused(void **state) {
        static const struct {
                const char *line, *field, *text; /* part of it */
        } cases[] = {
                { "--nonsense", "--nonsense", "no such option" },
                { "--net", "--net", "one of several" },
                { "-y", "-y", "no such option" },
                { "-bD", "-D", "needs a value" },
                { "--directory", "--directory", "needs a value" },
                { "--boot=yes", "--boot", "takes no value" },
                { "-a -b", "--boot", "exclude each other" },
                { "-b -a", "--as-pid2", "exclude each other" },
                { "--settings=maybe", "--settings", "yes, no, override or trusted" },
                { "--register=maybe", "--register", "yes, no or auto" },
                { "--volatile=maybe", "--volatile", "yes, no, state or overlay" },
                { "--console=tty", "--console", "interactive, read-only, passive, pipe or autopipe" },
                { "--console-log=disk", "--console-log", "a list of file, journal and syslog" },
                { "--console-log=file,disk", "--console-log", "a list of file, journal and syslog" },
                { "--console-log=", "--console-log", "a list of file, journal and syslog" },
                { "--console-log-size=64", "--console-log-size", "64K to 1G" },
                { "--console-log-size=2G", "--console-log-size", "64K to 1G" },
                { "--console-log-size=much", "--console-log-size", "64K to 1G" },
                { "--console-log-files=0", "--console-log-files", "from 1 to 16" },
                { "--console-log-files=17", "--console-log-files", "from 1 to 16" },
                { "--timezone=here", "--timezone", "symlink or delete" },
                { "--resolv-conf=copy", "--resolv-conf", "copy-, replace- or bind-" },
                { "--link-journal=here", "--link-journal", "try-guest or try-host" },
                { "--private-users-ownership=mine", "--private-users-ownership", "off, chown, map, foreign or auto" },
                { "--notify-ready=2", "--notify-ready", "yes or no" },
                { "--kill-signal=SIGFOO", "--kill-signal", "SIGRTMIN+3" },
                { "--personality=vax", "--personality", "on this architecture" },
                { "--dry-run=xml", "--dry-run", "text or json" },
                /* names */
                { "-M a_b", "--machine", "letters, digits" },
                { "-M -x", "--machine", "letters, digits" },
                { "-M a..b", "--machine", "letters, digits" },
                { "--hostname=a.", "--hostname", "letters, digits" },
                { "--uuid=00000000000000000000000000000000", "--uuid", "not be zero" },
                { "--uuid=xyz", "--uuid", "32 hexadecimal digits" },
                { "-E 1A=1", "--setenv", "NAME=VALUE" },
                { "-E =1", "--setenv", "NAME=VALUE" },
                { "-u a:b", "--uid", "name or number" },
                { "--property=x", "--property", "NAME=VALUE" },
                { "-S a/b", "--slice", "name of a slice" },
                /* paths */
                { "--chdir=usr", "--chdir", "absolute path" },
                { "--chdir=/usr/../etc", "--chdir", "absolute path" },
                { "--chdir=/usr//lib", "--chdir", "absolute path" },
                { "--chdir=/usr/./lib", "--chdir", "absolute path" },
                { "--chdir=/proc/sys", "--chdir", "below /proc" },
                { "--chdir=/dev/", "--chdir", "below /proc" },
                { "--pivot-root=deploy", "--pivot-root", "NEW or NEW:OLD" },
                { "--pivot-root=/a:/b:/c", "--pivot-root", "NEW or NEW:OLD" },
                { "--pivot-root=/", "--pivot-root", "below the present" },
                { "--bind=", "--bind", "SOURCE" },
                { "--bind=/a:b", "--bind", "absolute" },
                { "--bind=a", "--bind", "absolute" },
                { "--bind=/a:/b/../c", "--bind", "'..'" },
                { "--bind=/a:/b:norbind:x", "--bind", "SOURCE:DESTINATION:OPTIONS" },
                { "--bind-ro=/a:/b:ro", "--bind-ro", "rbind, norbind" },
                { "--bind=+a:/b", "--bind", "behind '+'" },
                { "--bind=/a:/b\n", "--bind", "control characters" },
                { "--tmpfs=/\xff", "--tmpfs", "control characters" },
                { "--tmpfs=a", "--tmpfs", "absolute" },
                { "--overlay=/a", "--overlay", "at least two paths" },
                { "--overlay=/a:", "--overlay", "absolute" },
                { "--overlay=:/b:/c", "--overlay", "only the upper path" },
                { "--overlay-ro=/a::/b", "--overlay-ro", "needs its last layer" },
                { "--inaccessible=a", "--inaccessible", "absolute" },
                { "--inaccessible=/", "--inaccessible", "root" },
                /* numbers */
                { "--rlimit=NOFILE", "--rlimit", "assignment" },
                { "--rlimit=FOO=1", "--rlimit", "no such limit" },
                { "--rlimit=NOFILE=9:3", "--rlimit", "not be above" },
                { "--rlimit=NOFILE=x", "--rlimit", "SOFT:HARD" },
                { "--rlimit=NICE=-21", "--rlimit", "SOFT:HARD" },
                { "--oom-score-adjust=1001", "--oom-score-adjust", "-1000 to 1000" },
                { "--cpu-affinity=5-2", "--cpu-affinity", "list of CPUs" },
                { "--cpu-affinity=8192", "--cpu-affinity", "below 8192" },
                { "--private-users=5:0", "--private-users", "at least one" },
                { "--private-users=4294967295", "--private-users", "below 4294967295" },
                { "--private-users=4294967294:2", "--private-users", "end below" },
                { "--private-users=foo", "--private-users", "identity, managed" },
                { "--private-users=5:x", "--private-users", "decimal numbers" },
                { "--private-users-delegate=17", "--private-users-delegate", "0 to 16" },
                /* network */
                { "-p -1", "--port", "1 to 65535" },
                { "-p :", "--port", "1 to 65535" },
                { "-p icmp:80:8080", "--port", "1 to 65535" },
                { "-p tcp::8080", "--port", "1 to 65535" },
                { "-p 8080:", "--port", "1 to 65535" },
                { "-p 0", "--port", "1 to 65535" },
                { "-p 65536", "--port", "1 to 65535" },
                { "-p 80:0", "--port", "1 to 65535" },
                { "--port=", "--port", "1 to 65535" },
                { "-p 80 -p tcp:80:90", "--port", "already" },
                { "--network-zone=thirteenchars", "--network-zone", "1 to 12 characters" },
                { "--network-bridge=sixteencharacter", "--network-bridge", "1 to 15 characters" },
                { "--network-interface=a/b", "--network-interface", "1 to 15 characters" },
                { "--network-interface=12", "--network-interface", "not only digits" },
                { "--network-macvlan=a:", "--network-macvlan", "1 to 15 characters" },
                { "--network-namespace-path=run", "--network-namespace-path", "absolute path" },
                /* security */
                { "--capability=net_admin", "--capability", "no such capability" },
                { "--drop-capability=CAP_CHOWN,CAP_X", "--drop-capability", "CAP_X: there is no such" },
                { "--ambient-capability=all", "--ambient-capability", "one by one" },
                { "--restrict-address-families=AF_FOO", "--restrict-address-families", "no such address family" },
                { "--system-call-filter=mount;", "--system-call-filter", "name of a system call" },
                { "--root-hash=abc", "--root-hash", "hexadecimal" },
                { "--root-hash-sig=base64:", "--root-hash-sig", "base64:" },
                { "-Z", "-Z", "needs a value" },
                { "--selinux-context=", "--selinux-context", "context of SELinux" },
                { "--selinux-context=u:r:t:s0^x", "--selinux-context", "context of SELinux" },
                { "--selinux-context=u:r:t\x7f", "--selinux-context", "context of SELinux" },
                { "--selinux-context=u:r:\xc3\xa4", "--selinux-context", "context of SELinux" },
                { "-Lu:object_r:t\",uid=0,x=\"", "--selinux-apifs-context", "context of SELinux" },
                { "--selinux-apifs-context=" LABEL_OF_256, "--selinux-apifs-context", "context of SELinux" },
                /* credentials: the value is never shown */
                { "--set-credential=x", "--set-credential", "':'" },
                { "--set-credential=a/b:c", "--set-credential", "without '/'" },
                { "--set-credential=..:c", "--set-credential", "without '/'" },
                { "--set-credential=a:1 --load-credential=a:/x", "--load-credential", "already" },
                { "--set-credential=a:\\q", "--set-credential", "backslash" },
                { "--load-credential=a:b/c", "--load-credential", "absolute path" },
                { "--load-credential=a:", "--load-credential", "absolute path" },
                { "--bind-user=-x", "--bind-user", "user or group" },
                { "--bind-user-shell=bash", "--bind-user-shell", "absolute path" },
                { "--background=red", "--background", "colour" },
                { "--forward-journal-max-use=lots", "--forward-journal-max-use", "number" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;
                struct diag d;
                int r = parse_with(cases[i].line, no_environment, &s, &d);

                if (r != -EINVAL || !strstr(d.text, cases[i].text))
                        print_message("%s: %d, %s\n", cases[i].line, r, d.text);
                assert_int_equal(r, -EINVAL);
                assert_string_equal(d.field, cases[i].field);
                assert_non_null(strstr(d.text, cases[i].text));
                assert_true(d.text[strlen(d.text) - 1] == '.');
        }
}

static void test_secret_is_not_shown(void **state) {
        struct spec s;
        struct diag d;

        assert_int_equal(parse_with("--set-credential=a:hunter2\\q", no_environment, &s, &d), -EINVAL);
        assert_null(strstr(d.text, "hunter2"));
}

static void test_words(void **state) {
        struct spec s;

        parse_good("-qD/srv --mach c1 --private-n -- -b x", &s);
        assert_true(s.quiet && s.network.private_network);
        assert_string_equal(s.directory, "/srv");
        assert_string_equal(s.machine, "c1");
        assert_string_equal(s.command[0], "-b");
        assert_string_equal(s.command[1], "x");
        assert_null(s.command[2]);
        assert_int_equal(s.start_mode, START_PID1);
        assert_true(spec_has(&s, SPEC_START) && spec_has(&s, SPEC_DIRECTORY) && spec_has(&s, SPEC_NETWORK));
        spec_done(&s);
        /* options of the payload */
        parse_good("-b --directory /srv systemd.unit=x --quiet", &s);
        assert_int_equal(s.start_mode, START_BOOT);
        assert_false(s.quiet);
        assert_string_equal(s.command[1], "--quiet");
        spec_done(&s);
        parse_good("", &s);
        assert_int_equal(s.set, 0);
        assert_null(s.command);
        assert_false(s.register_set);
        spec_done(&s);
        parse_good("-", &s); /* a word, like getopt has it */
        assert_string_equal(s.command[0], "-");
        spec_done(&s);
}

static void test_outcomes(void **state) {
        static const struct {
                const char *line;
                int expected;
                const char *field;
        } cases[] = {
                { "--help", SPEC_OUTCOME_HELP, "" },
                { "-qh", SPEC_OUTCOME_HELP, "" },
                { "--version --nonsense", SPEC_OUTCOME_VERSION, "" },
                { "--console=help", SPEC_OUTCOME_VALUES, "--console" },
                { "--capability=help", SPEC_OUTCOME_VALUES, "--capability" },
                { "--drop-capability help", SPEC_OUTCOME_VALUES, "--drop-capability" },
                { "--ambient-capability=help", SPEC_OUTCOME_VALUES, "--ambient-capability" },
                { "--kill-signal=help", SPEC_OUTCOME_VALUES, "--kill-signal" },
                { "--rlimit=help", SPEC_OUTCOME_VALUES, "--rlimit" },
                { "--resolv-conf=help", SPEC_OUTCOME_VALUES, "--resolv-conf" },
                { "--console-log=help", SPEC_OUTCOME_VALUES, "--console-log" },
                { "--timezone=help", SPEC_OUTCOME_VALUES, "--timezone" },
                { "--volatile=help", SPEC_OUTCOME_VALUES, "--volatile" },
                { "--private-users-ownership=help", SPEC_OUTCOME_VALUES, "--private-users-ownership" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf out = BUF_EMPTY;
                struct spec s;
                struct diag d;

                assert_int_equal(parse_with(cases[i].line, no_environment, &s, &d), cases[i].expected);
                assert_string_equal(d.field, cases[i].field);
                if (cases[i].expected != SPEC_OUTCOME_VALUES)
                        continue;
                assert_int_equal(spec_values(d.field, &out), 0);
                assert_true(out.size > 10 && out.data[out.size - 1] == '\n');
        }
        assert_int_equal(spec_values("--bind", &(struct buf) BUF_EMPTY), -ENOENT);
}

static void test_user_spellings(void **state) {
        static const struct {
                const char *line, *user;
                bool scope, notice;
        } cases[] = {
                { "--user=web", "web", false, true },      { "--user web", "web", false, true },
                { "--user", NULL, true, false },           { "--user -q", NULL, true, false },
                { "--user --system", NULL, false, false }, { "-u web", "web", false, false },
                { "--uid=0", "0", false, false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;

                parse_good(cases[i].line, &s);
                assert_true(streq_ptr(s.user, cases[i].user));
                assert_int_equal(s.user_scope, cases[i].scope);
                assert_int_equal(s.notices != NULL, cases[i].notice);
                assert_int_equal(spec_has(&s, SPEC_USER), cases[i].user != NULL);
                spec_done(&s);
        }
}

static void test_modes(void **state) {
        struct spec s;

        parse_good("-P -j -U -x --volatile --dry-run", &s);
        assert_int_equal(s.console, CONSOLE_PIPE);
        assert_true(s.quiet && s.ephemeral);
        assert_int_equal(s.link_journal, LINK_JOURNAL_TRY_GUEST);
        assert_int_equal(s.users_mode, USERS_PICK);
        assert_int_equal(s.ownership, OWNERSHIP_AUTO);
        assert_true(s.users_optional);
        assert_int_equal(s.volatile_mode, VOLATILE_YES);
        assert_int_equal(s.dry_run, DRY_RUN_TEXT);
        spec_done(&s);
        parse_good("--user -U", &s);
        assert_int_equal(s.users_mode, USERS_MANAGED);
        spec_done(&s);
        parse_good("--volatile=NO --notify-ready=True --register=Yes --link-journal=off --dry-run=json --settings=No",
                   &s);
        assert_int_equal(s.volatile_mode, VOLATILE_NO);
        assert_true(s.notify_ready && s.register_set);
        assert_int_equal(s.register_mode, REGISTER_YES);
        assert_int_equal(s.link_journal, LINK_JOURNAL_NO);
        assert_int_equal(s.dry_run, DRY_RUN_JSON);
        assert_int_equal(s.settings_mode, SETTINGS_NO);
        spec_done(&s);
        parse_good("--kill-signal=SIGRTMIN+3 -S foo --share-system", &s);
        assert_int_equal(s.kill_signal, 37);
        assert_string_equal(s.slice, "foo.slice");
        assert_true(s.share_ipc && s.share_pid && s.share_uts && s.notices);
        spec_done(&s);
}

static void test_environment(void **state) {
        char *const env[] = { (char *) "HOSTVAR=from=here", (char *) "HOSTVARX=no", NULL };
        struct spec s;
        struct diag d;

        assert_int_equal(parse_with("-E A=1 -E PATH=/usr/bin -E HOSTVAR -E UNSET -E container=x -E A=2", env, &s, &d),
                         0);
        assert_string_equal(s.environment[0], "A=2");
        assert_string_equal(s.environment[1], "PATH=/usr/bin");
        assert_string_equal(s.environment[2], "HOSTVAR=from=here");
        assert_string_equal(s.environment[3], "UNSET=");
        assert_string_equal(s.environment[4], "container=x");
        assert_null(s.environment[5]);
        spec_done(&s);
}

static void test_private_users(void **state) {
        static const struct {
                const char *line;
                enum users_mode mode;
                uint32_t base, count;
        } cases[] = {
                { "--private-users", USERS_TREE, 0, 0 },
                { "--private-users=yes", USERS_TREE, 0, 0 },
                { "--private-users=no", USERS_NO, 0, 0 },
                { "--private-users=pick", USERS_PICK, 0, 0 },
                { "--private-users=identity", USERS_IDENTITY, 0, 0 },
                { "--private-users=managed", USERS_MANAGED, 0, 0 },
                { "--private-users=0", USERS_FIXED, 0, 65536 },
                { "--private-users=1", USERS_FIXED, 1, 65536 },
                { "--private-users=131072:10", USERS_FIXED, 131072, 10 },
                { "--private-users=4294967294:1", USERS_FIXED, 4294967294U, 1 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;

                parse_good(cases[i].line, &s);
                assert_int_equal(s.users_mode, cases[i].mode);
                assert_int_equal(s.users_base, cases[i].base);
                assert_int_equal(s.users_count, cases[i].count);
                assert_true(spec_has(&s, SPEC_USERS));
                spec_done(&s);
        }
}

static void test_rlimits(void **state) {
        static const struct {
                const char *line;
                int number;
                uint64_t soft, hard;
        } cases[] = {
                { "--rlimit=NOFILE=64:128", 7, 64, 128 },
                { "--rlimit=LimitCORE=infinity", 4, SPEC_RLIMIT_INFINITY, SPEC_RLIMIT_INFINITY },
                { "--rlimit=CPU=10min", 0, 600, 600 },
                { "--rlimit=CPU=1500ms", 0, 2, 2 },
                { "--rlimit=RLIMIT_AS=1G", 9, 1073741824, 1073741824 },
                { "--rlimit=NICE=-5", 13, 25, 25 },
                { "--rlimit=NICE=+19", 13, 1, 1 },
                { "--rlimit=RTTIME=5:1s", 15, 5, 1000000 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;

                parse_good(cases[i].line, &s);
                assert_true(s.rlimits[cases[i].number].set);
                assert_int_equal(s.rlimits[cases[i].number].soft, cases[i].soft);
                assert_int_equal(s.rlimits[cases[i].number].hard, cases[i].hard);
                assert_int_equal(s.set, UINT64_C(1) << (SPEC_RLIMIT_FIRST + cases[i].number));
                spec_done(&s);
        }
}

/* Every mount as text: type, source, destination, options. */
static char *describe(const struct spec_mount *m) {
        static const char *const types[] = { "bind", "tmpfs", "overlay", "inaccessible" };
        static const char *const maps[] = { "", " idmap", " rootidmap", " owneridmap" };
        struct buf out = BUF_EMPTY;
        char *text;

        buf_append_str(&out, types[m->type]);
        for (size_t i = 0; i < m->n_lower; i++)
                buf_printf(&out, " %s%s", m->lower[i].in_root ? "+" : "", m->lower[i].path);
        if (m->type == SPEC_MOUNT_BIND || m->type == SPEC_MOUNT_OVERLAY)
                buf_printf(&out, " %s%s", m->source.in_root ? "+" : "", m->source.path ? m->source.path : "new");
        buf_printf(&out, " to %s%s%s%s", m->destination, m->read_only ? " ro" : "",
                   m->type == SPEC_MOUNT_BIND && !m->recursive ? " alone" : "", maps[m->idmap]);
        if (m->options)
                buf_printf(&out, " %s", m->options);
        assert_int_equal(buf_steal(&out, &text), 0);
        return text;
}

static void test_mounts(void **state) {
        static const struct {
                const char *line, *expected;
        } cases[] = {
                { "--bind=/a", "bind /a to /a" },
                { "--bind=/a//b/./c/", "bind /a//b/./c/ to /a/b/c" },
                { "--bind=rel:/mnt", "bind rel to /mnt" },
                { "--bind-ro=/a:/b:norbind,owneridmap", "bind /a to /b ro alone owneridmap" },
                { "--bind=/a:/b:idmap,noidmap,rbind", "bind /a to /b" },
                { "--bind=:/mnt/e", "bind new to /mnt/e" },
                { "--bind=+/srv/inner:/mnt/i", "bind +/srv/inner to /mnt/i" },
                { "--bind=+/srv", "bind +/srv to /srv" },
                { "--bind=/a\\:b:/c\\:d", "bind /a:b to /c:d" },
                { "--bind=/a:/", "bind /a to /" },
                { "--tmpfs=/mnt/t", "tmpfs to /mnt/t" },
                { "--tmpfs=/mnt/t:size=1M,mode=1777", "tmpfs to /mnt/t size=1M,mode=1777" },
                { "--tmpfs=/mnt/t:mpol=bind:0", "tmpfs to /mnt/t mpol=bind:0" },
                { "--overlay=/a:/b", "overlay /a /b to /b" },
                { "--overlay=/a:/b:/up:/mnt/o", "overlay /a /b /up to /mnt/o" },
                { "--overlay-ro=/a:/b:/mnt/o", "overlay /a /b to /mnt/o ro" },
                { "--overlay=+/etc::/etc", "overlay +/etc new to /etc" },
                { "--inaccessible=/etc/passwd", "inaccessible to /etc/passwd" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_FREE char *found = NULL;
                struct spec s;

                parse_good(cases[i].line, &s);
                assert_int_equal(s.n_mounts, 1);
                found = describe(&s.mounts[0]);
                assert_string_equal(found, cases[i].expected);
                spec_done(&s);
        }
}

static void test_network(void **state) {
        struct spec s;

        parse_good("--network-interface=eth0:uplink^eth1 --network-macvlan=eth2 --network-veth-extra=a:b -p udp:53 -p "
                   "8080:80",
                   &s);
        assert_int_equal(s.network.n_links, 4);
        assert_string_equal(s.network.links[0].host, "eth0");
        assert_string_equal(s.network.links[0].container, "uplink");
        assert_string_equal(s.network.links[1].container, "eth1");
        assert_string_equal(s.network.links[2].container, ""); /* made of the host's by the plan */
        assert_int_equal(s.network.links[2].type, SPEC_LINK_MACVLAN);
        assert_string_equal(s.network.links[3].container, "b");
        assert_int_equal(s.network.n_ports, 2);
        assert_true(s.network.ports[0].udp);
        assert_int_equal(s.network.ports[0].container, 53);
        assert_int_equal(s.network.ports[1].host, 8080);
        assert_int_equal(s.network.ports[1].container, 80);
        spec_done(&s);
        parse_good("-p 80 -p udp:80", &s); /* another protocol, another port */
        assert_int_equal(s.network.n_ports, 2);
        spec_done(&s);
}

static void test_security(void **state) {
        struct spec s;

        parse_good("--capability=cap_net_admin,12,CAP_MKNOD --drop-capability=all --ambient-capability=CAP_CHOWN", &s);
        assert_int_equal(s.capabilities.add, 1U << 12 | 1U << 27);
        assert_int_equal(s.capabilities.drop, UINT64_MAX);
        assert_int_equal(s.capabilities.ambient, 1);
        spec_done(&s);
        parse_good("--system-call-filter=@swap^@keyring --system-call-filter=~mount", &s);
        assert_int_equal(s.n_syscall_rules, 3);
        assert_string_equal(s.syscall_rules[1].name, "@keyring");
        assert_false(s.syscall_rules[1].deny);
        assert_string_equal(s.syscall_rules[2].name, "mount");
        assert_true(s.syscall_rules[2].deny);
        spec_done(&s);
}

static void test_address_families(void **state) {
        static const struct {
                const char *line;
                bool set, deny;
                size_t n;
                int first;
        } cases[] = {
                { "--restrict-address-families=AF_INET^AF_UNIX", true, false, 2, 2 },
                { "--restrict-address-families=~AF_INET", true, true, 1, 2 },
                { "--restrict-address-families=none", true, false, 0, 0 },
                { "--restrict-address-families=AF_INET --restrict-address-families=", false, false, 0, 0 },
                { "--restrict-address-families=AF_INET^AF_UNIX --restrict-address-families=~AF_INET", true, false, 1,
                  1 },
                { "--restrict-address-families=~AF_INET^AF_UNIX --restrict-address-families=AF_INET", true, true, 1,
                  1 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;

                parse_good(cases[i].line, &s);
                assert_int_equal(s.address_families_set, cases[i].set);
                assert_int_equal(s.address_families_deny, cases[i].deny);
                assert_int_equal(s.n_address_families, cases[i].n);
                if (cases[i].n > 0)
                        assert_int_equal(s.address_families[0], cases[i].first);
                spec_done(&s);
        }
        for (int i = 0; i < 46; i++)
                if (address_family_to_string(i))
                        assert_int_equal(address_family_from_string(address_family_to_string(i)), i);
        assert_int_equal(address_family_from_string("AF_LOCAL"), 1);
}

static void test_rest(void **state) {
        struct spec s;

        parse_good("--cpu-affinity=0,2-5^9 --oom-score-adjust=-5 --pivot-root=/deploy:/sysroot --chdir=/usr/lib/", &s);
        assert_int_equal(s.cpu_affinity_bytes, 2);
        assert_int_equal(s.cpu_affinity[0], 0x3d);
        assert_int_equal(s.cpu_affinity[1], 0x02);
        assert_true(s.oom_score_adjust_set);
        assert_int_equal(s.oom_score_adjust, -5);
        assert_string_equal(s.pivot_root_new, "/deploy");
        assert_string_equal(s.pivot_root_old, "/sysroot");
        assert_string_equal(s.chdir, "/usr/lib");
        spec_done(&s);
        parse_good("--set-credential=a.b:hello\\x00w\\n\\u20ac\\101 --load-credential=c:/run/x --load-credential=d:d",
                   &s);
        assert_int_equal(s.n_credentials, 3);
        assert_int_equal(s.credentials[0].size, 12);
        assert_memory_equal(s.credentials[0].data,
                            "hello\0w\n\xe2\x82\xac"
                            "A",
                            12);
        assert_string_equal(s.credentials[1].path, "/run/x");
        assert_null(s.credentials[1].data);
        assert_string_equal(s.credentials[2].path, "d");
        spec_done(&s);
        parse_good("--bind-user=a --bind-user=b --bind-user=a --bind-user-shell=yes", &s);
        assert_int_equal(strv_length(s.bind_users), 2);
        assert_string_equal(s.bind_user_shell, "");
        spec_done(&s);
}

static void test_help(void **state) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        const char *name;
        char letter;
        size_t n = 0;

        assert_int_equal(spec_help(&out), 0);
        for (;; n++) {
                char wanted[64];

                spec_option_name(n, &name, &letter);
                if (!name)
                        break;
                if (*name)
                        snprintf(wanted, sizeof(wanted), "--%s", name);
                else
                        snprintf(wanted, sizeof(wanted), "  -%c ", letter);
                assert_non_null(strstr(out.data, wanted));
        }
        assert_true(n > 80);
        for (const char *line = out.data; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
                assert_true(strcspn(line, "\n") <= 100);
}

/* What has a table is the same both ways. */
static void test_tables(void **state) {
        for (int i = 0; i < SPEC_RLIMITS; i++)
                assert_int_equal(rlimit_from_string(rlimit_to_string(i)), i);
        for (int i = 0; i < _RESOLV_CONF_MODE_MAX; i++)
                assert_int_equal(resolv_conf_mode_from_string(resolv_conf_mode_to_string((enum resolv_conf_mode) i)),
                                 i);
        for (int i = 0; i < _TIMEZONE_MODE_MAX; i++)
                assert_int_equal(timezone_mode_from_string(timezone_mode_to_string((enum timezone_mode) i)), i);
        for (int i = 0; i < _LINK_JOURNAL_MAX; i++)
                assert_int_equal(link_journal_from_string(link_journal_to_string((enum link_journal) i)), i);
        for (int i = 0; i < _VOLATILE_MODE_MAX; i++)
                assert_int_equal(volatile_mode_from_string(volatile_mode_to_string((enum volatile_mode) i)), i);
        for (int i = 1; i < _OWNERSHIP_MODE_MAX; i++)
                assert_int_equal(ownership_mode_from_string(ownership_mode_to_string((enum ownership_mode) i)), i);
        for (int i = 1; i < _CONSOLE_MODE_MAX; i++)
                assert_int_equal(console_mode_from_string(console_mode_to_string((enum console_mode) i)), i);
        for (int i = 0; i < _CONSOLE_LOG_MAX; i++)
                assert_int_equal(
                        console_log_target_from_string(console_log_target_to_string((enum console_log_target) i)), i);
}

static void test_console_log(void **state) {
        static const struct {
                const char *line;
                bool set;
                unsigned where;
        } cases[] = {
                { "true", false, 0 },
                { "--console-log=yes", true, 1U << CONSOLE_LOG_FILE },
                { "--console-log=no", true, 0 },
                { "--console-log=journal", true, 1U << CONSOLE_LOG_JOURNAL },
                { "--console-log=syslog,file", true, 1U << CONSOLE_LOG_SYSLOG | 1U << CONSOLE_LOG_FILE },
                { "--console-log=journal --console-log=file", true, 1U << CONSOLE_LOG_FILE },
        };
        struct spec s;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                parse_good(cases[i].line, &s);
                assert_int_equal(s.console_log_set, cases[i].set);
                assert_int_equal(s.console_log, cases[i].where);
                assert_int_equal(spec_has(&s, SPEC_CONSOLE_LOG), cases[i].set);
                spec_done(&s);
        }
        parse_good("--console-log-size=64K --console-log-files=16", &s);
        assert_int_equal(s.console_log_size, 65536);
        assert_int_equal(s.console_log_files, 16);
        assert_false(s.console_log_set);
        spec_done(&s);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_secret_is_not_shown),
        cmocka_unit_test(test_words),         cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_console_log),   cmocka_unit_test(test_user_spellings),
        cmocka_unit_test(test_modes),         cmocka_unit_test(test_environment),
        cmocka_unit_test(test_private_users), cmocka_unit_test(test_rlimits),
        cmocka_unit_test(test_mounts),        cmocka_unit_test(test_network),
        cmocka_unit_test(test_security),      cmocka_unit_test(test_address_families),
        cmocka_unit_test(test_rest),          cmocka_unit_test(test_help),
        cmocka_unit_test(test_tables),
};

RUN_TESTS(tests)
