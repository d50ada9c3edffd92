/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States as crun, runc and podman write them; what is missing, wrong, or too much. */
#include "unit.h"

#include <errno.h>

#include "base/str.h"
#include "codec/oci-state.h"

#define KEY "org.freedesktop.machine1.name"
#define ID64 "e4002874c1e97b4efc6229b421356b14233a2280dd0545bf898b725484bba78d"

static int decode(const char *text, struct oci_state *ret, struct diag *d) {
        return oci_state_decode(text, strlen(text), KEY, ret, d);
}

static void test_runtimes(void **state) {
        static const struct {
                const char *text;
                struct oci_state expected;
        } cases[] = {
                /* crun 1.8 */
                { "{\"ociVersion\":\"1.0\",\"id\":\"x_1\",\"pid\":10,\"root\":\"/b/rootfs\",\"bundle\":\"/"
                  "b\",\"status\":"
                  "\"created\",\"annotations\":{\"a.b\":\"c\"}}",
                  { "x_1", "/b", "/b/rootfs", NULL, false, 10 } },
                { "{\"ociVersion\":\"1.0\",\"id\":\"x_1\",\"pid\":0,\"root\":\"/b/rootfs\",\"bundle\":\"/"
                  "b\",\"status\":"
                  "\"stopped\",\"annotations\":{\"" KEY "\":\"web\"}}",
                  { "x_1", "/b", "/b/rootfs", "web", true, 0 } },
                /* runc 1.1 */
                { "{\"ociVersion\":\"1.0.2-dev\",\"id\":\"y\",\"status\":\"creating\",\"pid\":76,\"bundle\":\"/b\"}",
                  { "y", "/b", NULL, NULL, false, 76 } },
                /* podman 4.3, which runs poststop itself */
                { "{\"ociVersion\":\"1.0.2-dev\",\"id\":\"" ID64 "\",\"status\":\"stopped\",\"bundle\":\"/run/u\","
                  "\"annotations\":{\"" KEY "\":\"my_web\",\"io.podman.annotations.init\":\"FALSE\"}}",
                  { ID64, "/run/u", NULL, "my_web", true, 0 } },
                /* a status and members of tomorrow; an end that still names a process */
                { "{\"id\":\"y\",\"status\":\"paused\",\"pid\":2147483647,\"bundle\":\"/"
                  "b\",\"new\":[{}],\"annotations\":null}",
                  { "y", "/b", NULL, NULL, false, INT32_MAX } },
                { "{\"id\":\"y\",\"status\":\"stopped\",\"pid\":\"x\",\"bundle\":\"/b\"}",
                  { "y", "/b", NULL, NULL, true, 0 } },
                /* what is only nice to have, when it is no good */
                { "{\"id\":\"y\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/"
                  "b\",\"root\":\"rootfs\",\"annotations\":"
                  "{\"" KEY "\":7}}",
                  { "y", "/b", NULL, NULL, false, 5 } },
                { "{\"id\":\"y\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\",\"root\":\"/a/../"
                  "b\",\"annotations\":"
                  "{\"" KEY "\":\"a\\nb\"}}",
                  { "y", "/b", NULL, NULL, false, 5 } },
                { "{\"id\":\"y\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\",\"root\":5,\"annotations\":{\"" KEY
                  "\":\"\"}}",
                  { "y", "/b", NULL, NULL, false, 5 } },
                { "{\"id\":\"y\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\",\"annotations\":[]}",
                  { "y", "/b", NULL, NULL, false, 5 } },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct oci_state *e = &cases[i].expected;
                struct diag d = { 0 };
                struct oci_state s;

                if (decode(cases[i].text, &s, &d) != 0)
                        fail_msg("refused: %s: %s", cases[i].text, d.text);
                assert_string_equal(s.id, e->id);
                assert_string_equal(s.bundle, e->bundle);
                assert_true(streq_ptr(s.root, e->root));
                assert_true(streq_ptr(s.name, e->name));
                assert_int_equal(s.stopped, e->stopped);
                assert_int_equal(s.pid, e->pid);
                oci_state_done(&s);
        }
}

static void test_refused(void **state) {
        static const struct {
                const char *text, *field;
        } cases[] = {
                { "", "" },
                { "[]", "" },
                { "null", "" },
                { "{", "" },
                { "{}{}", "" },
                { "{\"id\":\"a\",\"id\":\"b\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\"}", "" },
                { "{\"id\":\"a\\u0000b\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\"}", "" },
                { "{\"id\":\"\xff\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\"}", "" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":99999999999999999999,\"bundle\":\"/b\"}", "" },
                { "{\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\"}", "id" },
                { "{\"id\":\"\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\"}", "id" },
                { "{\"id\":7,\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\"}", "id" },
                { "{\"id\":\"a\\u001b[m\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/b\"}", "id" },
                { "{\"id\":\"a\",\"pid\":5,\"bundle\":\"/b\"}", "status" },
                { "{\"id\":\"a\",\"status\":5,\"pid\":5,\"bundle\":\"/b\"}", "status" },
                { "{\"id\":\"a\",\"status\":\"running\",\"bundle\":\"/b\"}", "pid" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":0,\"bundle\":\"/b\"}", "pid" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":-1,\"bundle\":\"/b\"}", "pid" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":2147483648,\"bundle\":\"/b\"}", "pid" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":5.0,\"bundle\":\"/b\"}", "pid" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":\"5\",\"bundle\":\"/b\"}", "pid" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":5}", "bundle" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":5,\"bundle\":\"b\"}", "bundle" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":5,\"bundle\":\"/a/../b\"}", "bundle" },
                { "{\"id\":\"a\",\"status\":\"running\",\"pid\":5,\"bundle\":{}}", "bundle" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct diag d = { 0 };
                struct oci_state s;

                if (decode(cases[i].text, &s, &d) != -EBADMSG)
                        fail_msg("accepted: %s", cases[i].text);
                assert_string_equal(d.field, cases[i].field);
                assert_true(d.text[0]);
        }
}

static void test_bounds(void **state) {
        static const char head[] = "{\"id\":\"a\",\"status\":\"stopped\",\"bundle\":\"/b\",\"x\":";
        AUTO_BUF struct buf deep = BUF_EMPTY, wide = BUF_EMPTY, longer = BUF_EMPTY;
        struct diag d = { 0 };
        struct oci_state s;

        for (int i = 0; i < 100000; i++)
                buf_append_char(&deep, '[');
        assert_int_equal(oci_state_decode(deep.data, deep.size, NULL, &s, &d), -EBADMSG);
        buf_append_str(&wide, head);
        buf_append_char(&wide, '[');
        for (int i = 0; i < OCI_VALUES_MAX; i++)
                buf_append_str(&wide, "1,");
        buf_append_str(&wide, "1]}");
        assert_int_equal(oci_state_decode(wide.data, wide.size, NULL, &s, &d), -EBADMSG);
        buf_append_str(&longer, head);
        buf_append_char(&longer, '"');
        while (longer.size < OCI_TEXT_MAX)
                buf_append_char(&longer, 'x');
        buf_append_str(&longer, "\"}");
        assert_int_equal(oci_state_decode(longer.data, longer.size, NULL, &s, &d), -EMSGSIZE);
}

static void test_config_root(void **state) {
        static const struct {
                const char *text;
                int r;
                const char *root;
        } cases[] = {
                { "{\"root\":{\"path\":\"rootfs\",\"readonly\":true}}", 0, "/b/rootfs" },
                { "{\"root\":{\"path\":\"/var/lib/x/merged\"}}", 0, "/var/lib/x/merged" },
                { "{\"root\":{\"path\":\"../rootfs\"}}", -EBADMSG, NULL },
                { "{\"root\":{\"path\":\"\"}}", -EBADMSG, NULL },
                { "{\"root\":{\"path\":1}}", -EBADMSG, NULL },
                { "{\"root\":{}}", -ENOENT, NULL },
                { "{\"root\":\"/x\"}", -ENOENT, NULL },
                { "{}", -ENOENT, NULL },
                { "x", -EBADMSG, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_FREE char *root = NULL;

                assert_int_equal(oci_config_root(cases[i].text, strlen(cases[i].text), "/b", &root), cases[i].r);
                assert_true(streq_ptr(root, cases[i].root));
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runtimes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_config_root),
};

RUN_TESTS(tests)
