/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes together, what does not, and what follows; and the switches of the environment. */
#include "unit.h"

#include <errno.h>

#include "base/str.h"
#include "spec/spec-argv.h"
#include "spec/spec-check.h"
#include "spec/spec-environ.h"

#define WORDS_MAX 16

/* A word with a '=' and no '-' in front is a variable of the environment. */
static int check(const char *line, struct spec *ret, struct diag *d) {
        char text[256], *words[WORDS_MAX] = { (char *) "muster-spawn" }, *env[WORDS_MAX] = { NULL }, *state = NULL;
        int n = 1, n_env = 0, r;

        assert_true(strlen(line) < sizeof(text));
        strcpy(text, line);
        for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state))
                if (word[0] != '-' && strchr(word, '='))
                        env[n_env++] = word;
                else
                        words[n++] = word;
        memset(d, 0, sizeof(*d));
        assert_int_equal(spec_from_argv(n, words, env, ret, d), 0);
        r = spec_from_environ(env, ret, d);
        if (r >= 0)
                r = spec_check(ret, d);
        if (r < 0)
                spec_done(ret);
        return r;
}

static void test_refused(void **state) {
        static const struct {
                const char *line, *field;
        } cases[] = {
                { "-D /a -i /b", "--image" },
                { "-D /a --mstack=/b", "--mstack" },
                { "-i /a --mstack=/b", "--mstack" },
                { "--oci-bundle=/a -D /b", "--oci-bundle" },
                { "--oci-bundle=/a --template=/b -M c", "--oci-bundle" },
                { "--template=/a -i /b", "--template" },
                { "--template=/a --mstack=/b", "--template" },
                { "--template=/a -x -D /b", "--ephemeral" },
                { "--template=/a", "--template" },
                { "-x --mstack=/a", "--ephemeral" },
                { "-x --cleanup -M a", "--cleanup" },
                { "-x --link-journal=host", "--link-journal" },
                { "-x --link-journal=guest", "--link-journal" },
                { "-D /", "--directory" },
                { "-D //. -b", "--directory" },
                { "-D /../", "--directory" },
                { "-D / --volatile=overlay", "--directory" },
                { "-b SYSTEMD_NSPAWN_SHARE_NS_PID=1", "SYSTEMD_NSPAWN_SHARE_SYSTEM" },
                { "-a SYSTEMD_NSPAWN_SHARE_NS_UTS=yes", "SYSTEMD_NSPAWN_SHARE_SYSTEM" },
                { "-b --ambient-capability=CAP_CHOWN", "--ambient-capability" },
                { "--ambient-capability=CAP_NET_ADMIN", "--ambient-capability" },
                { "--ambient-capability=CAP_CHOWN --drop-capability=CAP_CHOWN", "--ambient-capability" },
                { "--ambient-capability=CAP_NET_BIND_SERVICE --private-users=pick", "--ambient-capability" },
                { "--private-users=managed", "--private-users" },
                { "--private-users=pick --private-users-delegate=1", "--private-users-delegate" },
                { "-U SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE" },
                { "-U SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", "SYSTEMD_NSPAWN_API_VFS_WRITABLE" },
                { "--bind=/a:/ -U", "--private-users" },
                { "--bind=/a:/ --private-users=0 --private-users-ownership=map", "--private-users-ownership" },
                { "--private-users=65536 --private-users-chown --read-only", "--private-users-ownership" },
                { "--private-users=65536 --private-users-chown --volatile", "--private-users-ownership" },
                { "--private-users=1000:65536 --private-users-chown", "--private-users-ownership" },
                { "--private-users=65536:10 --private-users-chown", "--private-users-ownership" },
                { "--network-bridge=a --network-zone=b", "--network-bridge" },
                { "--network-namespace-path=/a -n", "--network-namespace-path" },
                { "--network-namespace-path=/a --network-macvlan=b", "--network-namespace-path" },
                { "-p 80", "--port" },
                { "--bind=/a:/b:idmap", "--bind" },
                { "--bind-user-shell=yes", "--bind-user-shell" },
                { "--bind-user-group=a", "--bind-user-group" },
                { "--forward-journal-max-files=5", "--forward-journal" },
                { "SYSTEMD_NSPAWN_LOCK=maybe", "SYSTEMD_NSPAWN_LOCK" },
                { "SYSTEMD_NSPAWN_TMPFS_TMP=", "SYSTEMD_NSPAWN_TMPFS_TMP" },
                { "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=2", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY" },
                { "SYSTEMD_NSPAWN_API_VFS_WRITABLE=net", "SYSTEMD_NSPAWN_API_VFS_WRITABLE" },
                { "SYSTEMD_NSPAWN_CONTAINER_SERVICE=a;b", "SYSTEMD_NSPAWN_CONTAINER_SERVICE" },
                { "SYSTEMD_NSPAWN_NETWORK_MAC=00:11:22:33:44", "SYSTEMD_NSPAWN_NETWORK_MAC" },
                { "MUSTER_SPAWN_NETWORK_MAC=00:11:22:33:44:5x", "MUSTER_SPAWN_NETWORK_MAC" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;
                struct diag d;
                int r = check(cases[i].line, &s, &d);

                if (r != -EINVAL || !streq(d.field, cases[i].field))
                        print_message("%s: %d, %s\n", cases[i].line, r, d.text);
                assert_int_equal(r, -EINVAL);
                assert_string_equal(d.field, cases[i].field);
                assert_true(d.text[strlen(d.text) - 1] == '.'); /* whole: it was not cut */
        }
}

static void test_accepted(void **state) {
        static const char *const lines[] = {
                "",
                "-D / -x",
                "-D / --volatile",
                "-D / --volatile=state",
                "-x --link-journal=try-host",
                "--ambient-capability=CAP_CHOWN -u nobody",
                "--ambient-capability=CAP_NET_ADMIN --private-network",
                "--ambient-capability=CAP_BPF --capability=CAP_BPF",
                "--ambient-capability=CAP_NET_BIND_SERVICE -U --private-network",
                "--private-users=managed --private-network --private-users-delegate=16",
                "--network-namespace-path=/a --private-network",
                "-n -p 80",
                "--bind=/a:/b:rootidmap -U",
                "--bind=/a:/ --private-users=65536",
                "--private-users=0 --private-users-chown",
                "-U --private-network SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
                "SYSTEMD_NSPAWN_SHARE_SYSTEM=1 -b SYSTEMD_NSPAWN_SHARE_NS_PID=0 SYSTEMD_NSPAWN_SHARE_NS_UTS=0",
        };

        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                struct spec s;
                struct diag d;
                int r = check(lines[i], &s, &d);

                if (r < 0)
                        print_message("%s: %s\n", lines[i], d.text);
                assert_int_equal(r, 0);
                spec_done(&s);
        }
}

static void check_good(const char *line, struct spec *ret) {
        struct diag d;

        assert_int_equal(check(line, ret, &d), 0);
}

static void test_implied(void **state) {
        struct spec s;

        check_good("--network-zone=a", &s);
        assert_true(s.network.veth && s.network.private_network);
        spec_done(&s);
        check_good("--network-veth-extra=a", &s);
        assert_true(!s.network.veth && s.network.private_network);
        spec_done(&s);
        check_good("--network-namespace-path=/a", &s);
        assert_false(s.network.private_network);
        spec_done(&s);
        check_good("--volatile=state", &s);
        assert_true(s.read_only);
        spec_done(&s);
        check_good("--bind=/a:/", &s);
        assert_true(s.read_only);
        spec_done(&s);
        check_good("-x --template=/a -M b", &s);
        assert_string_equal(s.directory, "/a");
        assert_null(s.template);
        spec_done(&s);
        check_good("--template=/a -M b", &s);
        assert_string_equal(s.directory, "/var/lib/machines/b");
        spec_done(&s);
        check_good("SYSTEMD_NSPAWN_SHARE_NS_UTS=1", &s);
        assert_int_equal(s.register_mode, REGISTER_NO);
        spec_done(&s);
        check_good("SYSTEMD_NSPAWN_SHARE_NS_IPC=1", &s);
        assert_int_equal(s.register_mode, REGISTER_AUTO);
        spec_done(&s);
        check_good("--keep-unit --slice=x --property=A=b", &s);
        assert_int_equal(strv_length(s.notices), 2);
        spec_done(&s);
}

/* Masks as seen in /proc/self/status of the payload. */
static void test_capabilities(void **state) {
        static const struct {
                const char *line;
                bool user_namespace;
                uint64_t expected;
        } cases[] = {
                { "-q", false, 0xfdecafff },
                { "--private-network", false, 0xfdecbfff },
                { "-U", true, 0xfdecabff },
                { "-U --private-network", true, 0xfdecbfff },
                { "--drop-capability=all", false, 0 },
                { "--capability=CAP_BPF,CAP_KILL --drop-capability=CAP_KILL", false, UINT64_C(1) << 39 | 0xfdecafdf },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;

                check_good(cases[i].line, &s);
                assert_int_equal(spec_bounding_capabilities(&s, cases[i].user_namespace), cases[i].expected);
                spec_done(&s);
        }
}

static void test_environment(void **state) {
        struct spec s;

        check_good("SYSTEMD_NSPAWN_USE_CGNS=0 SYSTEMD_NSPAWN_TMPFS_TMP=No SYSTEMD_NSPAWN_LOCK=0 "
                   "UNIFIED_CGROUP_HIERARCHY=1 "
                   "SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0 SYSTEMD_NSPAWN_CONTAINER_SERVICE=myrt SYSTEMD_SECCOMP=0 "
                   "SYSTEMD_SUPPRESS_SYNC=1",
                   &s);
        assert_true(s.no_cgroup_namespace && s.no_tmpfs_tmp && s.no_lock && s.no_os_release_check && s.no_seccomp);
        assert_true(s.suppress_sync);
        assert_int_equal(s.unified_cgroup, 1);
        assert_string_equal(s.container_service, "myrt");
        spec_done(&s);
        check_good("SYSTEMD_NSPAWN_NETWORK_MAC=02:aB:00:1f:ff:09 SYSTEMD_NSPAWN_LOCK=0 MUSTER_SPAWN_LOCK=1", &s);
        assert_true(s.network_mac_set);
        assert_memory_equal(s.network_mac, "\x02\xab\x00\x1f\xff\x09", 6);
        assert_false(s.no_lock);
        assert_int_equal(s.unified_cgroup, -1);
        spec_done(&s);
        /* the command line wins; foreign variables may say what they like */
        check_good("--suppress-sync=no SYSTEMD_SUPPRESS_SYNC=1 SYSTEMD_SECCOMP=what", &s);
        assert_false(s.suppress_sync || s.no_seccomp);
        spec_done(&s);
        check_good("SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", &s);
        assert_true(s.api_network && !s.api_writable);
        spec_done(&s);
}

static void test_supported(void **state) {
        static const struct {
                const char *line, *field; /* NULL: works */
        } cases[] = {
                { "-D /a -b --private-network", NULL },
                { "-U --network-namespace-path=/a", NULL },
                { "-i /a", "--image" },
                { "--mstack=/a", "--mstack" },
                { "--oci-bundle=/a", "--oci-bundle" },
                { "--root-hash=00112233445566778899aabbccddeeff", "--root-hash" },
                { "--root-hash-sig=/a", "--root-hash-sig" },
                { "--verity-data=/a", "--verity-data" },
                { "--image-policy=a", "--image-policy" },
                { "-n", "--network-veth" },
                { "--network-bridge=a", "--network-bridge" },
                { "--network-zone=a", "--network-zone" },
                { "--network-interface=a", "--network-interface" },
                { "--network-macvlan=a", "--network-macvlan" },
                { "--network-ipvlan=a", "--network-ipvlan" },
                { "--network-veth-extra=a", "--network-veth-extra" },
                { "--private-network -p 80", "--port" },
                { "--private-users=managed --private-network", "--private-users" },
                { "--bind-user=a", "--bind-user" },
                { "--forward-journal=/a", "--forward-journal" },
                { "--user", "--user" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct spec s;
                struct diag d = { 0 };

                check_good(cases[i].line, &s);
                assert_int_equal(spec_check_supported(&s, &d), cases[i].field ? -EOPNOTSUPP : 0);
                assert_string_equal(d.field, strempty(cases[i].field));
                assert_true(!cases[i].field || d.text[strlen(d.text) - 1] == '.');
                spec_done(&s);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_accepted),    cmocka_unit_test(test_implied),
        cmocka_unit_test(test_capabilities), cmocka_unit_test(test_environment), cmocka_unit_test(test_supported),
};

RUN_TESTS(tests)
