/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cutting a stream into messages: however the bytes arrive, the same messages come out, and nothing is kept without need. */
#include <errno.h>
#include <string.h>

#include "codec/varlink-frame.h"
#include "unit.h"

static void expect_message(struct varlink_frame *f, const char *expected) {
        const char *text = NULL;
        size_t size = 0;

        assert_int_equal(varlink_frame_next(f, &text, &size), 1);
        assert_int_equal(size, strlen(expected));
        assert_string_equal(text, expected);
}

static void expect_none(struct varlink_frame *f) {
        const char *text;
        size_t size;

        assert_int_equal(varlink_frame_next(f, &text, &size), 0);
}

static void test_byte_by_byte(void **state) {
        static const char stream[] = "one\0\0three\0ha"; /* the second is empty, the last incomplete */
        struct varlink_frame f = VARLINK_FRAME_EMPTY;

        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(varlink_frame_feed(&f, stream + i, 1), 0);
                expect_none(&f);
        }
        assert_int_equal(varlink_frame_feed(&f, stream + 3, 1), 0);
        expect_message(&f, "one");
        for (size_t i = 4; i < sizeof(stream) - 1; i++)
                assert_int_equal(varlink_frame_feed(&f, stream + i, 1), 0);
        expect_message(&f, "");
        expect_message(&f, "three");
        expect_none(&f);
        assert_int_equal(varlink_frame_pending(&f), 2);
        assert_int_equal(varlink_frame_feed(&f, "lf", 3), 0);
        expect_message(&f, "half");
        varlink_frame_done(&f);
}

static void test_at_once(void **state) {
        struct varlink_frame f = VARLINK_FRAME_EMPTY;

        assert_int_equal(varlink_frame_feed(&f, "a\0bc\0d", 6), 0);
        expect_message(&f, "a");
        expect_message(&f, "bc");
        expect_none(&f);
        assert_int_equal(varlink_frame_feed(&f, "e\0", 2), 0);
        expect_message(&f, "de");
        varlink_frame_done(&f);
}

static void test_idle_holds_no_memory(void **state) {
        struct varlink_frame f = VARLINK_FRAME_EMPTY;

        assert_int_equal(varlink_frame_feed(&f, NULL, 0), 0);
        assert_null(f.data);
        assert_int_equal(varlink_frame_feed(&f, "call", 5), 0);
        expect_message(&f, "call");
        expect_none(&f);
        assert_null(f.data);
        assert_int_equal(f.allocated, 0);
        assert_int_equal(varlink_frame_feed(&f, "again", 6), 0);
        expect_message(&f, "again");
        varlink_frame_done(&f);
}

/* Bytes already taken are not carried along for ever. */
static void test_memory_is_reused(void **state) {
        struct varlink_frame f = VARLINK_FRAME_EMPTY;
        char message[100];

        memset(message, 'x', sizeof(message));
        message[99] = '\0';
        assert_int_equal(varlink_frame_feed(&f, "a", 1), 0);
        for (int i = 0; i < 10000; i++) {
                const char *text;
                size_t size;

                assert_int_equal(varlink_frame_feed(&f, message, sizeof(message)), 0);
                assert_int_equal(varlink_frame_feed(&f, "a", 1), 0); /* always something left over */
                assert_int_equal(varlink_frame_next(&f, &text, &size), 1);
                assert_int_equal(size, 100);
        }
        assert_true(f.allocated <= 4096);
        varlink_frame_done(&f);
}

static void test_limit(void **state) {
        struct {
                size_t size;
                bool ended;
                int expected;
        } cases[] = {
                { VARLINK_MESSAGE_MAX, true, 1 },
                { VARLINK_MESSAGE_MAX, false, 0 },
                { VARLINK_MESSAGE_MAX + 1, true, -EMSGSIZE },
                { VARLINK_MESSAGE_MAX + 1, false, -EMSGSIZE },
        };
        char *bytes = calloc(1, VARLINK_MESSAGE_MAX + 2);
        const char *text;
        size_t size;

        assert_non_null(bytes);
        memset(bytes, 'x', VARLINK_MESSAGE_MAX + 1);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct varlink_frame f = VARLINK_FRAME_EMPTY;

                assert_int_equal(varlink_frame_feed(&f, bytes, cases[i].size), 0);
                if (cases[i].ended)
                        assert_int_equal(varlink_frame_feed(&f, "", 1), 0);
                assert_int_equal(varlink_frame_next(&f, &text, &size), cases[i].expected);
                if (cases[i].expected < 0) /* the stream stays lost */
                        assert_int_equal(varlink_frame_next(&f, &text, &size), cases[i].expected);
                varlink_frame_done(&f);
        }
        free(bytes);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_idle_holds_no_memory),
        cmocka_unit_test(test_memory_is_reused),
        cmocka_unit_test(test_limit),
};

RUN_TESTS(tests)
