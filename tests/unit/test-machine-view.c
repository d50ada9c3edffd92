/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client makes of the replies of List: good ones, thin ones, hostile ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "codec/json-out.h"
#include "codec/machine-view.h"
#include "codec/varlink-answer.h"

static int view_of(const char *text, struct machine_view *ret) {
        struct varlink_answer a = VARLINK_ANSWER_EMPTY;
        int r = varlink_answer_decode(text, strlen(text), &a);

        if (r == 0)
                r = machine_view_decode(&a, ret);
        varlink_answer_done(&a);
        return r;
}

static void test_full(void **state) {
        static const char text[] =
                "{\"parameters\":{\"name\":\"web\",\"id\":\"00112233445566778899aabbccddeeff\",\"service\":\"systemd-"
                "nspawn\","
                "\"class\":\"container\",\"leader\":{\"pid\":4711,\"pidfdId\":99,\"bootId\":\"x\"},\"rootDirectory\":"
                "\"/srv/web\","
                "\"unit\":\"machine-web.scope\",\"timestamp\":{\"realtime\":17,\"monotonic\":3},\"UID\":1000,"
                "\"vSockCid\":7,"
                "\"addresses\":[{\"ifindex\":2,\"family\":2,\"address\":[10,0,0,1]},{\"family\":17,\"address\":[1]},"
                "{\"family\":10,\"address\":[254,128,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}],"
                "\"OSRelease\":[\"ID=other\",\"ID=debian\",\"VERSION_ID=12\"],\"UIDShift\":131072,\"future\":[]},"
                "\"continues\":"
                "true}";
        struct machine_view v;

        assert_int_equal(view_of(text, &v), 0);
        assert_string_equal(v.name, "web");
        assert_string_equal(v.service, "systemd-nspawn");
        assert_string_equal(v.unit, "machine-web.scope");
        assert_null(v.subgroup);
        assert_int_equal(v.leader.pid, 4711);
        assert_int_equal(v.leader.pidfd_id, 99);
        assert_int_equal(v.supervisor.pid, 0);
        assert_int_equal(v.realtime_usec, 17);
        assert_int_equal(v.uid, 1000);
        assert_int_equal(v.vsock_cid, 7);
        assert_int_equal(v.n_addresses, 2);
        assert_int_equal(v.addresses[0].ifindex, 2);
        assert_int_equal(v.addresses[1].family, VIEW_INET6);
        assert_string_equal(machine_view_os(&v, "VERSION_ID"), "12");
        assert_string_equal(machine_view_os(&v, "ID"), "debian");
        assert_null(machine_view_os(&v, "VERSION"));
        assert_true(v.has_uid_shift);
        assert_int_equal(v.uid_shift, 131072);
        machine_view_done(&v);
}

static void test_thin(void **state) {
        struct machine_view v;

        assert_int_equal(view_of("{\"parameters\":{\"name\":\"a\",\"service\":\"\",\"leader\":null}}", &v), 0);
        assert_null(v.service);
        assert_int_equal(v.vsock_cid, VIEW_VSOCK_CID_UNSET);
        assert_int_equal(v.uid, VIEW_UID_UNSET);
        assert_false(v.has_uid_shift);
        assert_null(machine_view_os(&v, "ID"));
        machine_view_done(&v);
}

static void test_refused(void **state) {
        static const char *const texts[] = {
                "",
                "[]",
                "7",
                "{",
                "{\"parameters\":[]}",
                "{\"error\":5}",
                "{\"continues\":1}",
                "{\"parameters\":{}}",
                "{\"parameters\":{\"name\":5}}",
                "{\"parameters\":{\"name\":\"a\",\"leader\":7}}",
                "{\"parameters\":{\"name\":\"a\",\"leader\":{\"pid\":-1}}}",
                "{\"parameters\":{\"name\":\"a\",\"leader\":{\"pid\":4294967297}}}",
                "{\"parameters\":{\"name\":\"a\",\"UID\":4294967296}}",
                "{\"parameters\":{\"name\":\"a\",\"UID\":\"0\"}}",
                "{\"parameters\":{\"name\":\"a\",\"timestamp\":7}}",
                "{\"parameters\":{\"name\":\"a\",\"addresses\":7}}",
                "{\"parameters\":{\"name\":\"a\",\"addresses\":[{\"family\":2,\"address\":[1,2,3]}]}}",
                "{\"parameters\":{\"name\":\"a\",\"addresses\":[{\"family\":2,\"address\":[1,2,3,256]}]}}",
                "{\"parameters\":{\"name\":\"a\",\"addresses\":[{\"address\":[1,2,3,4]}]}}",
                "{\"parameters\":{\"name\":\"a\",\"OSRelease\":[7]}}",
                "{\"parameters\":{\"name\":\"a\",\"name\":\"b\"}}",
                "{\"parameters\":{\"name\":\"a\\u0000b\"}}",
        };
        struct machine_view v;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_int_equal(view_of(texts[i], &v), -EBADMSG);
}

static void test_deep_and_long(void **state) {
        char deep[200];
        struct varlink_answer a;
        char *huge = calloc(1, VARLINK_ANSWER_MAX + 2);

        memset(deep, '[', sizeof(deep));
        assert_int_equal(varlink_answer_decode(deep, sizeof(deep), &a), -EBADMSG);
        assert_non_null(huge);
        memset(huge, ' ', VARLINK_ANSWER_MAX + 1);
        assert_int_equal(varlink_answer_decode(huge, VARLINK_ANSWER_MAX + 1, &a), -EMSGSIZE);
        free(huge);
}

static void test_errors(void **state) {
        static const char text[] =
                "{\"error\":\"io.systemd.System\",\"parameters\":{\"errno\":3,\"origin\":\"linux\"}}";
        static const char invalid[] =
                "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"name\"}}";
        struct varlink_answer a;

        assert_int_equal(varlink_answer_decode(text, sizeof(text) - 1, &a), 0);
        assert_string_equal(a.error, "io.systemd.System");
        assert_int_equal(a.error_number, 3);
        varlink_answer_done(&a);
        assert_int_equal(varlink_answer_decode(invalid, sizeof(invalid) - 1, &a), 0);
        assert_string_equal(a.parameter, "name");
        varlink_answer_done(&a);
        assert_int_equal(varlink_answer_decode("{}", 2, &a), 0);
        assert_null(a.error);
        assert_non_null(a.parameters);
        varlink_answer_done(&a);
}

static void test_pretty(void **state) {
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(json_pretty("{\"b\":1,\"a\":[]}", 14, &out), 0);
        assert_int_equal(buf_append_char(&out, '\0'), 0);
        assert_string_equal(out.data, "{\n    \"b\": 1,\n    \"a\": []\n}\n");
        assert_int_equal(json_pretty("{", 1, &out), -EBADMSG);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_full),          cmocka_unit_test(test_thin),   cmocka_unit_test(test_refused),
                cmocka_unit_test(test_deep_and_long), cmocka_unit_test(test_errors), cmocka_unit_test(test_pretty),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
