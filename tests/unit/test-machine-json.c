/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A record as List shows it: everything that is set, and nothing that is not (registry.md 13.4). */
#include <string.h>

#include "codec/machine-json.h"
#include "codec/machine-view.h"
#include "codec/resolve-json.h"
#include "unit.h"

static const struct id128 boot_id = { { 0xb0, 0x07 } };

/* The members of m, in braces. */
static void show(struct buf *b, const struct machine *m) {
        struct json_text j = JSON_TEXT(b);

        json_text_begin_object(&j, NULL);
        machine_json_add(&j, m, &boot_id);
        json_text_end_object(&j);
        assert_int_equal(buf_error(b), 0);
}

static void test_thin(void **state) {
        struct machine m = { .name = (char *) "thin",
                             .class = MACHINE_VM,
                             .leader = PIDREF_EMPTY,
                             .supervisor = PIDREF_EMPTY,
                             .vsock_cid = VSOCK_CID_UNSET,
                             .realtime_usec = 1,
                             .monotonic_usec = 2,
                             .unit = (char *) "" };
        AUTO_BUF struct buf b = BUF_EMPTY;

        show(&b, &m);
        assert_string_equal(b.data,
                            "{\"name\":\"thin\",\"class\":\"vm\",\"timestamp\":{\"realtime\":1,\"monotonic\":2},"
                            "\"UID\":0}");
}

static void test_full(void **state) {
        int32_t ifindices[] = { 2 };
        struct machine m = { .name = (char *) "full",
                             .id = { { 1 } },
                             .class = MACHINE_CONTAINER,
                             .state = MACHINE_CLOSING,
                             .service = (char *) "systemd-nspawn",
                             .root_directory = (char *) "/srv/\"x\"",
                             .leader = { .pid = 42, .fd = -EBADF, .id = 99 },
                             .supervisor = { .pid = 41, .fd = -EBADF },
                             .uid = 1000,
                             .realtime_usec = 17,
                             .monotonic_usec = 3,
                             .ifindices = ifindices,
                             .n_ifindices = 1,
                             .vsock_cid = 7,
                             .ssh_address = (char *) "vsock/7",
                             .ssh_private_key_path = (char *) "/k",
                             .control_address = (char *) "/run/c",
                             .unit = (char *) "machine-full.scope",
                             .subgroup = (char *) "payload",
                             .cgroup = (char *) "/machine.slice/machine-full.scope/payload" };
        AUTO_BUF struct buf b = BUF_EMPTY;

        show(&b, &m);
        assert_string_equal(
                b.data,
                "{\"name\":\"full\",\"id\":\"01000000000000000000000000000000\",\"service\":\"systemd-nspawn\","
                "\"class\":\"container\","
                "\"leader\":{\"pid\":42,\"pidfdId\":99,\"bootId\":\"b0070000000000000000000000000000\"},"
                "\"supervisor\":{\"pid\":41},\"rootDirectory\":\"/srv/\\\"x\\\"\",\"unit\":\"machine-full.scope\","
                "\"subgroup\":\"payload\",\"timestamp\":{\"realtime\":17,\"monotonic\":3},\"vSockCid\":7,"
                "\"sshAddress\":\"vsock/7\",\"sshPrivateKeyPath\":\"/k\",\"controlAddress\":\"/run/c\",\"UID\":1000}");
}

static void test_metadata(void **state) {
        const struct address addresses[] = {
                { .ifindex = 2, .family = 2, .bytes = { 10, 0, 0, 255 } },
                { .ifindex = 3, .family = 10, .bytes = { 0xfe, 0x80, [15] = 1 } },
        };
        char *os_release[] = { (char *) "ID=debian", (char *) "NAME=\"x\xff\"", NULL };
        const struct inspect_result full = { .addresses = addresses, .n_addresses = 2, .os_release = os_release };
        const struct inspect_result empty = { .error = 0 };
        AUTO_BUF struct buf b = BUF_EMPTY, none = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&b), k = JSON_TEXT(&none);

        machine_json_add_addresses(&j, &full);
        machine_json_add_os_release(&j, &full);
        assert_string_equal(b.data, "\"addresses\":[{\"ifindex\":2,\"family\":2,\"address\":[10,0,0,255]},"
                                    "{\"ifindex\":3,\"family\":10,\"address\":[254,128,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}],"
                                    "\"OSRelease\":[\"ID=debian\",\"NAME=\\\"x\xef\xbf\xbd\\\"\"]");
        machine_json_add_addresses(&k, &empty);
        machine_json_add_os_release(&k, &empty);
        assert_string_equal(none.data, "\"addresses\":[],\"OSRelease\":[]");
}

static void test_resolved(void **state) {
        const struct address four = { .family = 2, .bytes = { 10, 1, 2, 3 } },
                             six = { .family = 10, .bytes = { 0x20, 1, [15] = 7 } };
        AUTO_BUF struct buf b = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&b);

        resolve_json_add(&j, "web.x", &four);
        resolve_json_add(&j, "a", &six);
        assert_string_equal(b.data,
                            "{\"rr\":{\"key\":{\"class\":1,\"type\":1,\"name\":\"web.x\"},\"address\":[10,1,2,3]},"
                            "\"raw\":\"A3dlYgF4AAABAAEAAAAAAAQKAQID\"},"
                            "{\"rr\":{\"key\":{\"class\":1,\"type\":28,\"name\":\"a\"},"
                            "\"address\":[32,1,0,0,0,0,0,0,0,0,0,0,0,0,0,7]},\"raw\":"
                            "\"AWEAABwAAQAAAAAAECABAAAAAAAAAAAAAAAAAAc=\"}");
        assert_true(resolve_name_is_valid("a.b-c"));
        assert_true(resolve_name_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        assert_false(resolve_name_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        assert_true(resolve_question_is_valid("") && resolve_question_is_valid("a_b.c.") &&
                    resolve_question_is_valid("A"));
        assert_false(resolve_question_is_valid(".") || resolve_question_is_valid(".a") ||
                     resolve_question_is_valid("a..b"));
        assert_false(resolve_name_is_valid("a_b") || resolve_name_is_valid("") || resolve_name_is_valid("a."));
}

/* What we write is what our own clients read. */
static void test_read_back(void **state) {
        struct machine m = { .name = (char *) "back",
                             .class = MACHINE_CONTAINER,
                             .leader = { .pid = 5, .fd = -EBADF, .id = 6 },
                             .supervisor = PIDREF_EMPTY,
                             .vsock_cid = VSOCK_CID_UNSET,
                             .uid = 70000 };
        struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        AUTO_BUF struct buf b = BUF_EMPTY;
        struct machine_view v;

        buf_append_str(&b, "{\"parameters\":");
        show(&b, &m);
        buf_append_char(&b, '}');
        assert_int_equal(varlink_answer_decode(b.data, b.size, &answer), 0);
        assert_int_equal(machine_view_decode(&answer, &v), 0);
        assert_string_equal(v.name, "back");
        assert_int_equal(v.leader.pid, 5);
        assert_int_equal(v.leader.pidfd_id, 6);
        assert_int_equal(v.uid, 70000);
        assert_null(v.id);
        machine_view_done(&v);
        varlink_answer_done(&answer);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thin),     cmocka_unit_test(test_full),      cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_resolved), cmocka_unit_test(test_read_back),
};

RUN_TESTS(tests)
