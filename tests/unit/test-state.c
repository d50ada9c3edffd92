/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine record <-> the text of its state file: ours, those of the stock daemons, and broken ones. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/state.h"
#include "core/name.h"

static const struct id128 boot = { { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7, 8 } };
static const struct id128 no_boot;

static struct machine *new_machine(const char *name) {
        struct machine *m = NULL;

        assert_int_equal(machine_new(name, &m), 0);
        m->leader.pid = 4711;
        m->state = MACHINE_RUNNING;
        return m;
}

static void set(char **field, const char *value) {
        assert_int_equal(str_replace(field, value), 0);
}

static struct machine *full_machine(void) {
        struct machine *m = new_machine("cre-1.x");

        assert_int_equal(id128_from_string("0102030405060708090a0b0c0d0e0f10", &m->id), 0);
        m->class = MACHINE_VM;
        m->state = MACHINE_CLOSING;
        m->leader = (struct pidref){ 4711, -EBADF, 9123, 883211 };
        m->supervisor = (struct pidref){ 4700, -EBADF, 9120, 883200 };
        m->uid = 1000;
        m->realtime_usec = 1795533730779675;
        m->monotonic_usec = 15975098627;
        m->ifindices = calloc(2, sizeof(*m->ifindices));
        assert_non_null(m->ifindices);
        m->ifindices[0] = 2;
        m->ifindices[1] = INT32_MAX;
        m->n_ifindices = 2;
        m->vsock_cid = 7;
        set(&m->service, "my svc");
        set(&m->root_directory, "/var/lib/machines/we ird");
        set(&m->ssh_address, "vsock/7");
        set(&m->ssh_private_key_path, "/root/$key");
        set(&m->control_address, "/run/control");
        set(&m->unit, "machine-cre\\x2d1.x.scope");
        set(&m->subgroup, "payload/a b");
        set(&m->cgroup, "/machine.slice/machine-cre\\x2d1.x.scope/payload/a b");
        m->scope_created = true;
        m->kill_signal = 37;
        return m;
}

static void assert_text(const struct buf *text, const char *expected) {
        assert_string_equal(strchr(text->data, '\n') + 1, expected); /* behind the comment */
        assert_int_equal(text->data[0], '#');
}

/* ---- writing: the order and the quoting of the stock daemon, then our own keys ---- */

static void test_write_full(void **state) {
        AUTO(machine_freep) struct machine *m = full_machine();
        AUTO_BUF struct buf text = BUF_EMPTY;

        assert_int_equal(state_encode(m, &boot, &text), 0);
        assert_text(&text, "NAME=cre-1.x\n"
                           "UID=1000\n"
                           "SCOPE=\"machine-cre\\\\x2d1.x.scope\"\n"
                           "SERVICE=\"my svc\"\n"
                           "ROOT=\"/var/lib/machines/we ird\"\n"
                           "ID=0102030405060708090a0b0c0d0e0f10\n"
                           "LEADER=4711\n"
                           "LEADER_PIDFDID=9123\n"
                           "SUPERVISOR=4700\n"
                           "SUPERVISOR_PIDFDID=9120\n"
                           "CLASS=vm\n"
                           "REALTIME=1795533730779675\n"
                           "MONOTONIC=15975098627\n"
                           "NETIF=\" 2 2147483647\"\n"
                           "VSOCK_CID=7\n"
                           "SSH_ADDRESS=vsock/7\n"
                           "SSH_PRIVATE_KEY_PATH=\"/root/\\$key\"\n"
                           "CONTROL_ADDRESS=/run/control\n"
                           "SUBGROUP=\"payload/a b\"\n"
                           "CGROUP=\"/machine.slice/machine-cre\\\\x2d1.x.scope/payload/a b\"\n"
                           "SCOPE_CREATED=yes\n"
                           "KILL_SIGNAL=37\n"
                           "STATE=closing\n"
                           "LEADER_START=883211\n"
                           "SUPERVISOR_START=883200\n"
                           "BOOT_ID=0123456789abcdef0102030405060708\n");
}

static void test_write_least(void **state) {
        AUTO(machine_freep) struct machine *m = new_machine("a");
        AUTO_BUF struct buf text = BUF_EMPTY;

        m->state = MACHINE_OPENING;
        assert_int_equal(state_encode(m, &no_boot, &text), 0);
        assert_text(&text, "NAME=a\nUID=0\nLEADER=4711\nCLASS=container\nREALTIME=0\nMONOTONIC=0\n"
                           "VSOCK_CID=4294967295\nSTATE=opening\n");
}

/* ---- there and back ---- */

static void assert_same_text(const struct machine *m, const struct id128 *boot_id, const struct buf *text) {
        AUTO_BUF struct buf again = BUF_EMPTY;

        assert_int_equal(state_encode(m, boot_id, &again), 0);
        assert_string_equal(again.data, text->data);
}

static void test_round_trip(void **state) {
        struct machine *records[] = { full_machine(), new_machine("a") };

        for (size_t i = 0; i < ELEMENTS(records); i++) {
                AUTO(machine_freep) struct machine *m = records[i], *back = NULL;
                AUTO_BUF struct buf text = BUF_EMPTY;
                struct diag d = { .line = 0 };
                struct id128 boot_id;

                assert_int_equal(state_encode(m, &boot, &text), 0);
                assert_int_equal(state_decode(m->name, text.data, text.size, &back, &boot_id, &d), 0);
                assert_true(id128_equal(&boot_id, &boot));
                assert_int_equal(back->leader.fd, -EBADF);
                assert_int_equal(back->supervisor.fd, -EBADF);
                assert_true(pidref_same(&back->leader, &m->leader));
                assert_int_equal(back->leader.start, m->leader.start);
                assert_int_equal(back->scope_created, m->scope_created);
                assert_same_text(back, &boot_id, &text);
        }
}

/* Everything a client may register must come back, at its longest and with every character quoted. */
static void test_longest(void **state) {
        AUTO(machine_freep) struct machine *m = full_machine(), *back = NULL;
        AUTO_BUF struct buf text = BUF_EMPTY;
        struct diag d = { .line = 0 };
        char path[4096], words[4097];
        struct id128 boot_id;

        memset(path, '\\', sizeof(path) - 1);
        path[0] = '/';
        path[4095] = '\0';
        memset(words, '$', sizeof(words) - 1);
        words[4096] = '\0';
        assert_true(path_is_absolute_and_valid(path));
        set(&m->root_directory, path);
        set(&m->ssh_private_key_path, path);
        set(&m->control_address, path);
        set(&m->cgroup, path);
        set(&m->subgroup, path + 1);
        set(&m->ssh_address, words);
        words[256] = '\0';
        set(&m->service, words);
        free(m->ifindices);
        m->n_ifindices = 1024;
        m->ifindices = calloc(m->n_ifindices, sizeof(*m->ifindices));
        assert_non_null(m->ifindices);
        for (size_t i = 0; i < m->n_ifindices; i++)
                m->ifindices[i] = INT32_MAX - (int) i;
        assert_int_equal(state_encode(m, &boot, &text), 0);
        assert_true(text.size <= STATE_FILE_MAX);
        assert_int_equal(state_decode(m->name, text.data, text.size, &back, &boot_id, &d), 0);
        assert_same_text(back, &boot_id, &text);
}

/* ---- what others wrote ---- */

static struct machine *read_text(const char *name, const char *text, struct id128 *ret_boot_id) {
        struct diag d = { .line = 0 };
        struct machine *m = NULL;

        if (state_decode(name, text, strlen(text), &m, ret_boot_id, &d) < 0)
                fail_msg("%s", d.text);
        return m;
}

/* As the stock daemon of systemd 252 wrote it. */
static const char stock_252[] = "# This is private data. Do not parse.\n"
                                "NAME=cre-1.x\n"
                                "SCOPE=machine-cre\\\\x2d1.x.scope\n"
                                "SERVICE=my svc\n"
                                "ROOT=/var/lib/machines/we ird\n"
                                "ID=0102030405060708090a0b0c0d0e0f10\n"
                                "LEADER=15\n"
                                "CLASS=container\n"
                                "REALTIME=1795533730779675\n"
                                "MONOTONIC=15975098627\n"
                                "NETIF=1 1\n";

static void test_read_stock_252(void **state) {
        struct id128 boot_id = boot;
        AUTO(machine_freep) struct machine *m = read_text("cre-1.x", stock_252, &boot_id);
        char id[ID128_STRING_SIZE];

        assert_true(id128_is_null(&boot_id));
        assert_string_equal(m->unit, "machine-cre\\x2d1.x.scope");
        assert_string_equal(m->service, "my svc");
        assert_string_equal(m->root_directory, "/var/lib/machines/we ird");
        assert_string_equal(id128_to_string(&m->id, id), "0102030405060708090a0b0c0d0e0f10");
        assert_int_equal(m->leader.pid, 15);
        assert_int_equal(m->leader.id, 0);
        assert_int_equal(m->leader.start, 0);
        assert_int_equal(m->uid, 0);
        assert_int_equal(m->class, MACHINE_CONTAINER);
        assert_int_equal(m->state, MACHINE_RUNNING);
        assert_int_equal(m->realtime_usec, 1795533730779675);
        assert_int_equal(m->monotonic_usec, 15975098627);
        assert_int_equal(m->n_ifindices, 2);
        assert_int_equal(m->ifindices[1], 1);
        assert_int_equal(m->vsock_cid, VSOCK_CID_UNSET);
        assert_true(machine_owns_unit(m));
        assert_null(m->cgroup);
}

#define LEAST "NAME=a\nCLASS=container\nLEADER=2\n"

static void test_read_lenient(void **state) {
        static const char *const texts[] = {
                LEAST,
                "# x\n; y\n\nLEADER=2\nCLASS=container\nNAME=a\n",                    /* any order */
                LEAST "SCOPE_JOB=/org/freedesktop/systemd1/job/1\nFUTURE=\"x y\"\n",  /* unknown keys */
                "CLASS=vm\nLEADER=7\n" LEAST,                                         /* the last one wins */
                LEAST "SCOPE=x.scope\nSCOPE=\nROOT=/x\nROOT=\nSERVICE=x\nSERVICE=\n", /* empty is unset */
                LEAST "NETIF=\" 2 3\"\nNETIF=\n",
                LEAST "SUBGROUP=\nCGROUP=\nSCOPE_CREATED=no\nSSH_ADDRESS=\n",
                "NAME=\"a\"\nCLASS='container'\nLEADER=\"2\"", /* any quoting */
        };

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                struct id128 boot_id;
                AUTO(machine_freep) struct machine *m = read_text("a", texts[i], &boot_id);
                AUTO_BUF struct buf text = BUF_EMPTY;

                assert_int_equal(state_encode(m, &boot_id, &text), 0);
                assert_text(&text, "NAME=a\nUID=0\nLEADER=2\nCLASS=container\nREALTIME=0\nMONOTONIC=0\n"
                                   "VSOCK_CID=4294967295\nSTATE=running\n");
        }
}

/* ---- what is no record ---- */

static const struct {
        const char *name, *text, *field;
} broken[] = {
        { "a", "", "NAME" },
        { "a", "CLASS=container\nLEADER=2\n", "NAME" },
        { "a", "NAME=a\nLEADER=2\n", "CLASS" },
        { "a", "NAME=a\nCLASS=container\n", "LEADER" },
        { "a", "NAME=a\nCLASS=container\nLEADER=\n", "LEADER" },
        { "a", "NAME=b\nCLASS=container\nLEADER=2\n", "NAME" },
        { "a", LEAST "NAME=A\n", "NAME" },
        { "A", LEAST, "NAME" },
        { "a_b", "NAME=a_b\nCLASS=container\nLEADER=2\n", "" },
        { ".host", "NAME=.host\nCLASS=container\nLEADER=2\n", "" },
        { "", "NAME=\nCLASS=container\nLEADER=2\n", "" },
        { "a", LEAST "CLASS=host\n", "CLASS" },
        { "a", LEAST "CLASS=\n", "CLASS" },
        { "a", LEAST "CLASS=Container\n", "CLASS" },
        { "a", LEAST "LEADER=0\n", "LEADER" },
        { "a", LEAST "LEADER=1\n", "LEADER" },
        { "a", LEAST "LEADER=-2\n", "LEADER" },
        { "a", LEAST "LEADER=2147483648\n", "LEADER" },
        { "a", LEAST "LEADER=\" 2\"\n", "LEADER" },
        { "a", LEAST "SUPERVISOR=1\n", "SUPERVISOR" },
        { "a", LEAST "LEADER_PIDFDID=x\n", "LEADER_PIDFDID" },
        { "a", LEAST "LEADER_START=18446744073709551616\n", "LEADER_START" },
        { "a", LEAST "SUPERVISOR_PIDFDID=-1\n", "SUPERVISOR_PIDFDID" },
        { "a", LEAST "UID=4294967295\n", "UID" },
        { "a", LEAST "UID=4294967296\n", "UID" },
        { "a", LEAST "UID=root\n", "UID" },
        { "a", LEAST "SCOPE=x\n", "SCOPE" },
        { "a", LEAST "SCOPE=x/y.scope\n", "SCOPE" },
        { "a", LEAST "SERVICE=\"x\001\"\n", "SERVICE" },
        { "a", LEAST "SERVICE=\"x\ny\"\n", "SERVICE" },
        { "a", LEAST "SERVICE=\xff\n", "SERVICE" },
        { "a", LEAST "SSH_ADDRESS=\"\t\"\n", "SSH_ADDRESS" },
        { "a", LEAST "ROOT=x\n", "ROOT" },
        { "a", LEAST "ROOT=x/../y\n", "ROOT" },
        { "a", LEAST "SSH_PRIVATE_KEY_PATH=key\n", "SSH_PRIVATE_KEY_PATH" },
        { "a", LEAST "CONTROL_ADDRESS=x\n", "CONTROL_ADDRESS" },
        { "a", LEAST "ID=01\n", "ID" },
        { "a", LEAST "BOOT_ID=x\n", "BOOT_ID" },
        { "a", LEAST "REALTIME=now\n", "REALTIME" },
        { "a", LEAST "MONOTONIC=-1\n", "MONOTONIC" },
        { "a", LEAST "NETIF=2,3\n", "NETIF" },
        { "a", LEAST "NETIF=0\n", "NETIF" },
        { "a", LEAST "NETIF=-2\n", "NETIF" },
        { "a", LEAST "NETIF=2147483648\n", "NETIF" },
        { "a", LEAST "VSOCK_CID=4294967296\n", "VSOCK_CID" },
        { "a", LEAST "STATE=gone\n", "STATE" },
        { "a", LEAST "STATE=asleep\n", "STATE" },
        { "a", LEAST "SCOPE=x.scope\nSUBGROUP=/y\n", "SUBGROUP" },
        { "a", LEAST "SCOPE=x.scope\nSUBGROUP=y/../..\n", "SUBGROUP" },
        { "a", LEAST "SUBGROUP=y\n", "SUBGROUP" },
        { "a", LEAST "CGROUP=y\n", "CGROUP" },
        { "a", LEAST "CGROUP=/../y\n", "CGROUP" },
        { "a", LEAST "KILL_SIGNAL=0\n", "KILL_SIGNAL" },
        { "a", LEAST "KILL_SIGNAL=65\n", "KILL_SIGNAL" },
        { "a", LEAST "KILL_SIGNAL=-1\n", "KILL_SIGNAL" },
        { "a", LEAST "SCOPE_CREATED=maybe\n", "SCOPE_CREATED" },
        { "a", LEAST "SCOPE_CREATED=yes\n", "SCOPE_CREATED" },
        { "a", LEAST "SCOPE_CREATED=yes\nSCOPE=x.scope\n", "SCOPE_CREATED" },
        { "a", LEAST "SCOPE_CREATED=yes\nCGROUP=/x\n", "SCOPE_CREATED" },
};

static void test_read_broken(void **state) {
        for (size_t i = 0; i < ELEMENTS(broken); i++) {
                struct machine *m = NULL;
                struct diag d = { .line = 0 };
                struct id128 boot_id;
                int r = state_decode(broken[i].name, broken[i].text, strlen(broken[i].text), &m, &boot_id, &d);

                if (r != -EBADMSG || m || !d.text[0] || !streq(d.field, broken[i].field))
                        fail_msg("%s: %d %s: %s", broken[i].text, r, d.field, d.text);
                assert_int_equal(
                        state_decode(broken[i].name, broken[i].text, strlen(broken[i].text), &m, &boot_id, NULL),
                        -EBADMSG);
        }
}

static void test_read_nul_and_size(void **state) {
        AUTO_FREE char *large = malloc(STATE_FILE_MAX + 1);
        struct machine *m = NULL;
        struct diag d = { .line = 0 };
        struct id128 boot_id;

        assert_int_equal(state_decode("a", LEAST "\0", sizeof(LEAST), &m, &boot_id, &d), -EBADMSG);
        assert_string_equal(d.text, "it holds a NUL byte");
        assert_non_null(large);
        memset(large, '\n', STATE_FILE_MAX + 1);
        memcpy(large, LEAST, sizeof(LEAST) - 1);
        assert_int_equal(state_decode("a", large, STATE_FILE_MAX + 1, &m, &boot_id, &d), -EBADMSG);
        assert_string_equal(d.text, "it is too large");
        assert_int_equal(state_decode("a", large, STATE_FILE_MAX, &m, &boot_id, &d), 0);
        machine_free(m);
}

static void test_netif_limit(void **state) {
        AUTO_BUF struct buf text = BUF_EMPTY;
        struct machine *m = NULL;
        struct diag d = { .line = 0 };
        struct id128 boot_id;

        assert_int_equal(buf_append_str(&text, LEAST "NETIF=\""), 0);
        for (int i = 0; i < 1025; i++)
                assert_int_equal(buf_append_str(&text, " 1"), 0);
        assert_int_equal(buf_append_str(&text, "\"\n"), 0);
        assert_int_equal(state_decode("a", text.data, text.size, &m, &boot_id, &d), -EBADMSG);
        assert_null(m);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_full),     cmocka_unit_test(test_write_least),
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_longest),
        cmocka_unit_test(test_read_stock_252), cmocka_unit_test(test_read_lenient),
        cmocka_unit_test(test_read_broken),    cmocka_unit_test(test_read_nul_and_size),
        cmocka_unit_test(test_netif_limit),
};

RUN_TESTS(tests)
