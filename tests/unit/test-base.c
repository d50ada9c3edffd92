/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>

#include "base/capname.h"
#include "base/diag.h"
#include "base/errname.h"
#include "base/id128.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/pidref.h"
#include "base/siphash.h"
#include "base/str.h"

static void test_prefix_and_suffix(void **state) {
        assert_string_equal(startswith("unit:a", "unit:"), "a");
        assert_null(startswith("uni", "unit:"));
        assert_string_equal(endswith("a.scope", ".scope"), ".scope");
        assert_null(endswith("ope", ".scope"));
        assert_true(streq_ptr(NULL, NULL));
        assert_false(streq_ptr(NULL, ""));
}

static void test_buffer(void **state) {
        AUTO_BUF struct buf b = BUF_EMPTY;
        AUTO_FREE char *text = NULL;

        assert_int_equal(buf_append_str(&b, "ab"), 0);
        assert_int_equal(buf_printf(&b, "%d-%s", 7, "x"), 0);
        assert_string_equal(b.data, "ab7-x");
        buf_consume(&b, 2);
        assert_string_equal(b.data, "7-x");
        for (int i = 0; i < 1000; i++)
                buf_append_char(&b, 'z');
        assert_int_equal(b.size, 1003);
        assert_int_equal(buf_reserve(&b, SIZE_MAX - 10), -ENOMEM);
        assert_int_equal(buf_error(&b), -ENOMEM);
        assert_int_equal(buf_steal(&b, &text), -ENOMEM);
        buf_clear(&b);
        assert_int_equal(buf_steal(&b, &text), 0);
        assert_string_equal(text, "");
}

static void test_escape(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "plain-1.x", "plain-1.x" },       { "a\nb", "a\\x0ab" },        { "\x1b[31m", "\\x1b[31m" },
                { "back\\slash", "back\\\\slash" }, { "\xc3\xa4", "\\xc3\\xa4" }, { "0123456789", "01234567..." },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_FREE char *out = str_escape(cases[i].in, i == 5 ? 8 : 64);

                assert_string_equal(out, cases[i].out);
        }
}

static void test_vectors(void **state) {
        AUTO(strv_freep) char **v = NULL;

        assert_int_equal(strv_length(v), 0);
        assert_int_equal(strv_extend(&v, "a"), 0);
        assert_int_equal(strv_extend(&v, "b"), 0);
        assert_int_equal(strv_length(v), 2);
        assert_true(strv_contains(v, "b"));
        assert_false(strv_contains(v, "c"));
}

static void test_numbers(void **state) {
        static const struct {
                const char *text;
                int result;
                uint32_t value;
        } cases[] = {
                { "0", 0, 0 },
                { "4294967295", 0, UINT32_MAX },
                { "4294967296", -ERANGE, 0 },
                { "", -EINVAL, 0 },
                { "-1", -EINVAL, 0 },
                { " 1", -EINVAL, 0 },
                { "1 ", -EINVAL, 0 },
                { "0x10", -EINVAL, 0 },
                { "99999999999999999999999x", -EINVAL, 0 },
                { "007", 0, 7 },
        };
        uint64_t wide;
        int32_t sign;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint32_t v = 77;

                assert_int_equal(parse_u32(cases[i].text, &v), cases[i].result);
                assert_int_equal(v, cases[i].result < 0 ? 77 : cases[i].value);
        }
        assert_int_equal(parse_u64("18446744073709551615", &wide), 0);
        assert_int_equal(parse_u64("18446744073709551616", &wide), -ERANGE);
        assert_int_equal(parse_i32("-2147483648", &sign), 0);
        assert_int_equal(sign, INT32_MIN);
        assert_int_equal(parse_i32("2147483648", &sign), -ERANGE);
        assert_int_equal(parse_i32("--1", &sign), -EINVAL);
        assert_int_equal(parse_hex_u64("fF", &wide), 0);
        assert_int_equal(wide, 255);
}

static void test_words_and_times(void **state) {
        static const struct {
                const char *text;
                int result;
                uint64_t usec;
        } times[] = {
                { "10", 0, 10000000 },
                { "5ms", 0, 5000 },
                { "2min", 0, 120000000 },
                { "infinity", 0, UINT64_MAX },
                { "s", -EINVAL, 0 },
                { "1parsec", -EINVAL, 0 },
                { "99999999999999999d", -ERANGE, 0 },
        };
        bool b = false;

        for (size_t i = 0; i < ELEMENTS(times); i++) {
                uint64_t usec = 0;

                assert_int_equal(parse_usec(times[i].text, &usec), times[i].result);
                assert_true(usec == times[i].usec);
        }
        assert_int_equal(parse_bool("yes", &b), 0);
        assert_true(b);
        assert_int_equal(parse_bool("off", &b), 0);
        assert_false(b);
        assert_int_equal(parse_bool("Yes", &b), -EINVAL);
}

static void test_ids(void **state) {
        char text[ID128_STRING_SIZE];
        struct id128 id = { { 0 } }, other;

        assert_true(id128_is_null(&id));
        assert_int_equal(id128_from_string("0123456789abcdef0123456789ABCDEF", &id), 0);
        assert_string_equal(id128_to_string(&id, text), "0123456789abcdef0123456789abcdef");
        assert_int_equal(id128_from_string("01234567-89ab-cdef-0123-456789abcdef", &other), 0);
        assert_true(id128_equal(&id, &other));
        assert_int_equal(id128_from_string("01234567-89ab-cdef-0123456789abcdefab", &other), -EINVAL);
        assert_int_equal(id128_from_string("0123456789abcdef0123456789abcdeg", &other), -EINVAL);
        assert_int_equal(id128_from_string("", &other), -EINVAL);
}

static void test_process_identity(void **state) {
        struct pidref a = { .pid = 7, .fd = -EBADF, .id = 100, .start = 0 }, b = a;

        assert_true(pidref_same(&a, &b));
        b.id = 101; /* recycled */
        assert_false(pidref_same(&a, &b));
        b = (struct pidref){ .pid = 7, .fd = -EBADF, .id = 0, .start = 9 };
        a = (struct pidref){ .pid = 7, .fd = -EBADF, .id = 0, .start = 8 };
        assert_false(pidref_same(&a, &b));
        a.pid = 0;
        b.pid = 0;
        assert_false(pidref_same(&a, &b));
}

static char last_line[256];

static void remember_line(enum log_level level, const struct log_fields *fields, const char *line) {
        snprintf(last_line, sizeof(last_line), "%d %s %s", level, fields->machine ? fields->machine : "-", line);
}

static void test_log(void **state) {
        struct log_fields fields = { .machine = "m" };

        log_set_sink(remember_line);
        assert_int_equal(log_error_errno(-ENOENT, "Cannot open %s", "x"), -ENOENT);
        assert_string_equal(last_line, "3 - Cannot open x: No such file or directory.");
        log_full(LOG_LEVEL_INFO, 0, &fields, "up");
        assert_string_equal(last_line, "6 m up");
        log_debug("not shown");
        assert_string_equal(last_line, "6 m up");
        log_set_sink(NULL);
}

static void test_diag_and_errno_names(void **state) {
        struct diag d = { .line = 3 };

        assert_int_equal(diag_set(&d, -EBADMSG, "NAME", "bad %s", "thing"), -EBADMSG);
        assert_string_equal(d.field, "NAME");
        assert_string_equal(d.text, "bad thing");
        assert_int_equal(diag_set(NULL, -EINVAL, NULL, "ignored"), -EINVAL);
        assert_string_equal(errno_name(-ENXIO), "ENXIO");
        assert_string_equal(errno_name(EIO), "EIO");
        assert_null(errno_name(99999));
}

static void test_capability_names(void **state) {
        static const struct {
                const char *in;
                int out;
        } cases[] = {
                { "CAP_CHOWN", CAP_CHOWN },
                { "cap_net_admin", CAP_NET_ADMIN },
                { "Cap_Sys_Resource", CAP_SYS_RESOURCE },
                { "CAP_SETFCAP", CAP_SETFCAP },
                { "CAP_MAC_OVERRIDE", CAP_MAC_OVERRIDE },
                { "CAP_CHECKPOINT_RESTORE", 40 },
                { "0", 0 },
                { "12", 12 },
                { "63", 63 },
                { "64", -EINVAL },
                { "4294967296", -EINVAL },
                { "-1", -EINVAL },
                { "net_admin", -EINVAL },
                { "CAP_", -EINVAL },
                { "CAP_CHOWN ", -EINVAL },
                { "all", -EINVAL },
                { "", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (capability_from_string(cases[i].in) != cases[i].out)
                        fail_msg("\"%s\" gives %d", cases[i].in, capability_from_string(cases[i].in));
        for (int i = 0; i <= 40; i++)
                assert_int_equal(capability_from_string(capability_to_string(i)), i);
        assert_null(capability_to_string(-1));
        assert_null(capability_to_string(41));
}

/* The first ones are from the paper's reference: key 00..0f, data 00, 01, 02... */
static void test_siphash(void **state) {
        static const struct {
                size_t size;
                uint64_t hash;
        } cases[] = {
                { 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) },
                { 7, UINT64_C(0xab0200f58b01d137) },  { 8, UINT64_C(0x93f5f5799a932462) },
                { 15, UINT64_C(0xa129ca6149be45e5) }, { 63, UINT64_C(0x958a324ceb064572) },
        };
        uint8_t key[SIPHASH_KEY_SIZE], data[64];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t) i;
        memcpy(key, data, sizeof(key));
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_true(siphash24(data, cases[i].size, key) == cases[i].hash);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix_and_suffix),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_words_and_times),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_process_identity),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_diag_and_errno_names),
        cmocka_unit_test(test_capability_names),
        cmocka_unit_test(test_siphash),
};

RUN_TESTS(tests)
