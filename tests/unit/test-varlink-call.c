/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages to calls, parameters to structs: what is refused, and which parameter is named. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "codec/varlink-call.h"
#include "codec/varlink-frame.h"
#include "unit.h"

static void test_messages(void **state) {
        static const struct {
                const char *text;
                int expected;
        } cases[] = {
                { "{\"method\":\"a.B\"}", 0 },
                { "{\"method\":\"a.B\",\"parameters\":{}}", 0 },
                { "{\"method\":\"a.B\",\"parameters\":null}", 0 },
                { "{\"method\":\"a.B\",\"more\":true,\"oneway\":false}", 0 },
                { "{\"method\":\"a.B\",\"parameters\":{\"text\":\"}]{[,\\\"\"}}", 0 },
                { "", -EBADMSG },
                { "null", -EBADMSG },
                { "[]", -EBADMSG },
                { "\"a.B\"", -EBADMSG },
                { "{}", -EBADMSG },
                { "{\"parameters\":{}}", -EBADMSG },
                { "{\"method\":1}", -EBADMSG },
                { "{\"method\":null}", -EBADMSG },
                { "{\"method\":\"a.B\",\"method\":\"a.C\"}", -EBADMSG },
                { "{\"method\":\"a.B\",\"parameters\":[]}", -EBADMSG },
                { "{\"method\":\"a.B\",\"parameters\":{\"a\":1,\"a\":2}}", -EBADMSG },
                { "{\"method\":\"a.B\",\"more\":1}", -EBADMSG },
                { "{\"method\":\"a.B\",\"oneway\":\"yes\"}", -EBADMSG },
                { "{\"method\":\"a.B\",\"oneway\":true,\"more\":true}", -EBADMSG },
                { "{\"method\":\"a.B\",\"upgrade\":0}", -EBADMSG },
                { "{\"method\":\"a.B\",\"surprise\":1}", -EBADMSG },
                { "{\"method\":\"a.B\"} x", -EBADMSG },
                { "{\"method\":\"a.B\"", -EBADMSG },
                { "{\"method\":\"a.\\u0000B\"}", -EBADMSG },
                { "{\"method\":\"a.\xff\"}", -EBADMSG },
                { "{\"method\":\"a.B\",\"parameters\":{\"n\":99999999999999999999}}", -EBADMSG },
                { "}{", -EBADMSG },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct varlink_call c = VARLINK_CALL_EMPTY;
                int r = varlink_call_parse(cases[i].text, strlen(cases[i].text), &c);

                if (r != cases[i].expected)
                        fail_msg("%s: %d", cases[i].text, r);
                if (r >= 0)
                        assert_string_equal(c.method, "a.B");
                varlink_call_done(&c);
        }
}

static void test_flags(void **state) {
        static const char text[] = "{\"more\":true,\"method\":\"x.Y\",\"parameters\":{}}";
        struct varlink_call c = VARLINK_CALL_EMPTY;

        assert_int_equal(varlink_call_parse(text, strlen(text), &c), 0);
        assert_true(c.more);
        assert_false(c.oneway);
        varlink_call_done(&c);
        varlink_call_done(&c); /* an empty one is fine */
}

/* A message with n values nested or side by side. */
static int parse_many(const char *open, const char *close, size_t n) {
        struct varlink_call c = VARLINK_CALL_EMPTY;
        AUTO_BUF struct buf b = BUF_EMPTY;
        int r;

        buf_append_str(&b, "{\"method\":\"a.B\",\"parameters\":{\"x\":[0");
        for (size_t i = 0; i < n; i++)
                buf_append_str(&b, open);
        for (size_t i = 0; i < n; i++)
                buf_append_str(&b, close);
        buf_append_str(&b, "]}}");
        r = varlink_call_parse(b.data, b.size, &c);
        varlink_call_done(&c);
        return r;
}

static void test_bounds(void **state) {
        struct varlink_call c = VARLINK_CALL_EMPTY;
        char *big = malloc(VARLINK_MESSAGE_MAX + 1);

        assert_int_equal(parse_many(",[0", "]", VARLINK_DEPTH_MAX - 3), 0);
        assert_int_equal(parse_many(",[0", "]", VARLINK_DEPTH_MAX - 2), -EBADMSG);
        assert_int_equal(parse_many(",1", "", 60000), 0);
        assert_int_equal(parse_many(",1", "", VARLINK_VALUES_MAX + 1), -EBADMSG);
        assert_non_null(big);
        memset(big, ' ', VARLINK_MESSAGE_MAX + 1);
        assert_int_equal(varlink_call_parse(big, VARLINK_MESSAGE_MAX + 1, &c), -EMSGSIZE);
        free(big);
}

/* ---- parameters ---- */

static int color_from_string(const char *s) {
        return streq(s, "red") ? 3 : -EINVAL;
}

struct parameters {
        const char *text;
        struct varlink_int number, signal;
        bool flag;
        struct varlink_array strings, ints, objects;
        int color;
        struct varlink_id128 id;
        struct varlink_process process;
};

#define AT(member) offsetof(struct parameters, member)
static const struct varlink_field fields[] = {
        { "text", VARLINK_STRING, AT(text), .required = true },
        { "number", VARLINK_INT, AT(number), .min = -1, .max = 10 },
        { "flag", VARLINK_BOOL, AT(flag) },
        { "strings", VARLINK_STRINGS, AT(strings) },
        { "ints", VARLINK_INTS, AT(ints), .min = 1, .max = INT32_MAX },
        { "objects", VARLINK_OBJECTS, AT(objects) },
        { "color", VARLINK_ENUM, AT(color), .from_string = color_from_string },
        { "signal", VARLINK_SIGNAL, AT(signal) },
        { "id", VARLINK_ID128, AT(id) },
        { "process", VARLINK_PROCESS, AT(process) },
        { "oldNumber", VARLINK_ANY_INT, 0 },
        { "oldProcess", VARLINK_ANY_PROCESS, 0 },
        { NULL },
};

/* parameters: the inside of the object. wrong (may be NULL): the parameter that must be named. */
static void extract(const char *parameters, const char *wrong, struct varlink_call *c, struct parameters *p) {
        AUTO_BUF struct buf b = BUF_EMPTY;
        const char *named = NULL;
        int r;

        *c = (struct varlink_call) VARLINK_CALL_EMPTY;
        *p = (struct parameters){ .color = -7 };
        buf_printf(&b, "{\"method\":\"a.B\",\"parameters\":{%s}}", parameters);
        assert_int_equal(varlink_call_parse(b.data, b.size, c), 0);
        r = varlink_call_extract(c, fields, p, &named);
        if (!wrong) {
                if (r != 0)
                        fail_msg("%s: %d, %s", parameters, r, strempty(named));
                return;
        }
        if (r != -EINVAL || !named || !streq(named, wrong))
                fail_msg("%s: %d, %s instead of %s", parameters, r, strempty(named), wrong);
}

static void test_every_type(void **state) {
        struct varlink_call c;
        struct parameters p;

        extract("\"text\":\"t\",\"number\":10,\"flag\":true,\"strings\":[\"a\",\"b\"],\"ints\":[1,7],\"color\":\"red\","
                "\"signal\":\"SIGTERM\",\"id\":\"00112233445566778899aabbccddeeff\",\"oldNumber\":5,"
                "\"oldProcess\":{\"pid\":3},"
                "\"process\":{\"pid\":42,\"pidfdId\":99,\"bootId\":\"ffeeddccbbaa99887766554433221100\"}",
                NULL, &c, &p);
        assert_string_equal(p.text, "t");
        assert_true(p.number.set && p.number.value == 10);
        assert_true(p.flag);
        assert_int_equal(p.strings.n, 2);
        assert_string_equal(varlink_array_string(&p.strings, 1), "b");
        assert_int_equal(p.ints.n, 2);
        assert_int_equal(varlink_array_int(&p.ints, 1), 7);
        assert_int_equal(p.color, 3);
        assert_int_equal(p.signal.value, 15);
        assert_true(p.id.set && p.id.value.bytes[15] == 0xff);
        assert_true(p.process.set && p.process.pid == 42 && p.process.pidfd_id == 99 && p.process.boot_id.set);
        varlink_call_done(&c);
}

static void test_objects(void **state) {
        static const struct varlink_field inner[] = {
                { "type", VARLINK_INT, 0, .required = true, .min = 0, .max = 9 },
                { NULL },
        };
        static const struct varlink_field outer[] = {
                { "key", VARLINK_OBJECT, 0, .required = true },
                { NULL },
        };
        static const struct {
                const char *object, *wrong; /* wrong NULL: fine */
        } cases[] = {
                { "{\"key\":{\"type\":5}}", NULL },
                { "{}", "key" },
                { "{\"key\":5}", "key" },
                { "{\"key\":{},\"x\":1}", "x" },
                { "{\"key\":{}}", "type" },
                { "{\"key\":{\"type\":10}}", "type" },
                { "{\"key\":{\"type\":5,\"x\":null}}", "x" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf text = BUF_EMPTY;
                struct varlink_object element, key = { NULL };
                struct varlink_int type = { .set = false };
                struct varlink_call c;
                struct parameters p;
                const char *wrong = NULL;
                int r;

                buf_printf(&text, "\"text\":\"t\",\"objects\":[{},%s]", cases[i].object);
                extract(text.data, NULL, &c, &p);
                assert_int_equal(p.objects.n, 2);
                element = varlink_array_object(&p.objects, 1);
                r = varlink_object_extract(&element, outer, &key, &wrong);
                if (r >= 0)
                        r = varlink_object_extract(&key, inner, &type, &wrong);
                if (cases[i].wrong ? r != -EINVAL || !streq(wrong, cases[i].wrong) : r != 0 || type.value != 5)
                        fail_msg("%s: %d, %s", cases[i].object, r, strempty(wrong));
                varlink_call_done(&c);
        }
}

static void test_absent(void **state) {
        struct varlink_call c;
        struct parameters p;

        extract("\"text\":\"\",\"number\":null,\"flag\":null,\"color\":null,\"process\":null,\"ints\":null", NULL, &c,
                &p);
        assert_false(p.number.set || p.flag || p.process.set || p.ints.n > 0);
        assert_int_equal(p.color, -7);
        varlink_call_done(&c);
        extract("\"text\":\"\",\"process\":{\"pid\":0,\"pidfdId\":null,\"bootId\":null},\"signal\":9", NULL, &c, &p);
        assert_true(p.process.set && p.process.pid == 0 && p.process.pidfd_id == 0 && !p.process.boot_id.set);
        assert_int_equal(p.signal.value, 9);
        varlink_call_done(&c);
}

static void test_wrong_ones_are_named(void **state) {
        static const struct {
                const char *parameters, *wrong;
        } cases[] = {
                { "", "text" },
                { "\"text\":null", "text" },
                { "\"text\":5", "text" },
                { "\"text\":\"\",\"Text\":\"\"", "Text" },
                { "\"text\":\"\",\"number\":\"1\"", "number" },
                { "\"text\":\"\",\"number\":1.0", "number" },
                { "\"text\":\"\",\"number\":11", "number" },
                { "\"text\":\"\",\"number\":-2", "number" },
                { "\"text\":\"\",\"flag\":1", "flag" },
                { "\"text\":\"\",\"strings\":\"a\"", "strings" },
                { "\"text\":\"\",\"strings\":[\"a\",1]", "strings" },
                { "\"text\":\"\",\"ints\":[1,0]", "ints" },
                { "\"text\":\"\",\"ints\":[4294967296]", "ints" },
                { "\"text\":\"\",\"ints\":[null]", "ints" },
                { "\"text\":\"\",\"color\":\"blue\"", "color" },
                { "\"text\":\"\",\"color\":3", "color" },
                { "\"text\":\"\",\"signal\":\"SIGNONE\"", "signal" },
                { "\"text\":\"\",\"signal\":4294967311", "signal" },
                { "\"text\":\"\",\"id\":\"0011\"", "id" },
                { "\"text\":\"\",\"process\":42", "process" }, /* a bare number is the classic mistake */
                { "\"text\":\"\",\"process\":{}", "process" },
                { "\"text\":\"\",\"process\":{\"pidfdId\":1}", "process" },
                { "\"text\":\"\",\"process\":{\"pid\":-1}", "process" },
                { "\"text\":\"\",\"process\":{\"pid\":2147483648}", "process" },
                { "\"text\":\"\",\"process\":{\"pid\":1,\"pidfdId\":-1}", "process" },
                { "\"text\":\"\",\"process\":{\"pid\":1,\"bootId\":\"x\"}", "process" },
                { "\"text\":\"\",\"process\":{\"pid\":1,\"more\":1}", "process" },
                { "\"text\":\"\",\"oldNumber\":\"1\"", "oldNumber" },
                { "\"text\":\"\",\"oldProcess\":1", "oldProcess" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct varlink_call c;
                struct parameters p;

                extract(cases[i].parameters, cases[i].wrong, &c, &p);
                varlink_call_done(&c);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_wrong_ones_are_named),
};

RUN_TESTS(tests)
