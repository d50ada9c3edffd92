/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON written by hand: commas, numbers at their limits, and strings that no peer may choke on. */
#include <stdbool.h>
#include <string.h>

#include "codec/json-text.h"
#include "unit.h"

static void test_structure(void **state) {
        AUTO_BUF struct buf b = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&b);

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "a", "x");
        json_text_begin_array(&j, "b");
        json_text_unsigned(&j, NULL, 1);
        json_text_signed(&j, NULL, -2);
        json_text_begin_object(&j, NULL);
        json_text_end_object(&j);
        json_text_end_array(&j);
        json_text_begin_array(&j, "c");
        json_text_end_array(&j);
        json_text_bool(&j, "d", true);
        json_text_bool(&j, "e", false);
        json_text_null(&j, "f");
        json_text_raw(&j, "g", "[1]", 3);
        json_text_members(&j, "\"h\":1,\"i\":2", 11);
        json_text_string_if(&j, "no", NULL);
        json_text_string_if(&j, "no", "");
        json_text_string_if(&j, "j", "y");
        json_text_end_object(&j);
        assert_int_equal(buf_error(&b), 0);
        assert_string_equal(b.data, "{\"a\":\"x\",\"b\":[1,-2,{}],\"c\":[],\"d\":true,\"e\":false,\"f\":null,\"g\":[1],"
                                    "\"h\":1,\"i\":2,\"j\":\"y\"}");
}

static void test_numbers(void **state) {
        AUTO_BUF struct buf b = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&b);

        json_text_begin_array(&j, NULL);
        json_text_unsigned(&j, NULL, 0);
        json_text_unsigned(&j, NULL, UINT64_MAX);
        json_text_signed(&j, NULL, INT64_MAX);
        json_text_signed(&j, NULL, INT64_MIN);
        json_text_signed(&j, NULL, -1);
        json_text_signed(&j, "k", -1);
        json_text_end_array(&j);
        assert_string_equal(b.data, "[0,18446744073709551615,9223372036854775807,-9223372036854775808,-1,\"k\":-1]");
}

static void test_strings(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "", "\"\"" },
                { "plain", "\"plain\"" },
                { "quote\"back\\slash", "\"quote\\\"back\\\\slash\"" },
                { "a\nb\tc", "\"a\\nb\\tc\"" },
                { "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
                { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"" },
                { "\xff", "\"\xef\xbf\xbd\"" }, /* no UTF-8 byte at all */
                { "\xc3", "\"\xef\xbf\xbd\"" }, /* cut short: the NUL is not run over */
                { "\xf0\x9f\x98", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
                { "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },                                 /* overlong */
                { "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },                 /* surrogate */
                { "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, /* above U+10FFFF */
                { "a\xff z", "\"a\xef\xbf\xbd z\"" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf b = BUF_EMPTY;
                struct json_text j = JSON_TEXT(&b);

                json_text_string(&j, NULL, cases[i].in);
                assert_string_equal(b.data, cases[i].out);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
};

RUN_TESTS(tests)
