/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events: the tables, the ring and its gaps, and their JSON. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/event-json.h"

static const struct id128 boot = { { 1, 2, 3 } };

static struct event sample(uint64_t sequence) {
        return (struct event){ .sequence = sequence,
                               .realtime_usec = 1764115200000000,
                               .monotonic_usec = 5,
                               .boot_id = boot,
                               .kind = "registered",
                               .machine = "web",
                               .class = MACHINE_CONTAINER,
                               .leader = 77,
                               .actor_uid = 1000,
                               .actor_pid = 88 };
}

static int add(struct event_ring *r, uint64_t sequence) {
        const struct event e = sample(sequence);
        struct event *copy = NULL;
        int q;

        assert_int_equal(event_copy(&e, &copy), 0);
        q = event_ring_add(r, &copy);
        free(copy);
        return q;
}

static void test_kinds(void **state) {
        for (int i = 0; i < _EVENT_KIND_MAX; i++) {
                struct event e = sample(1);

                e.kind = event_kind_to_string((enum event_kind) i);
                assert_non_null(e.kind);
                assert_int_equal(event_kind_from_string(e.kind), i);
                assert_true(event_is_valid(&e));
        }
}

static void test_values(void **state) {
        char value[EVENT_VALUE_MAX + 1], text[1000];

        assert_string_equal(event_value("caf\xc3\xa9", value), "caf\xc3\xa9");
        assert_string_equal(event_value("a\tb", value), "a\\x09b");
        assert_string_equal(event_value("\xc3", value), "\\xc3");
        /* Cut, and not within a character. */
        memset(text, 'x', 252);
        strcpy(text + 252, "\xe2\x82\xac"
                           "and more");
        assert_string_equal(event_value(text, value) + 250, "xx...");
        assert_true(strlen(event_value(text, value)) <= EVENT_VALUE_MAX);
}

/* ---- the ring ---- */

static void expect_next(const struct event_ring *r, uint64_t after, uint64_t sequence, uint64_t from, uint64_t to) {
        struct event_gap gap = { 9, 9 };
        const struct event *e = event_ring_next(r, after, &gap);

        assert_int_equal(e ? e->sequence : 0, sequence);
        assert_int_equal(gap.from, from);
        assert_int_equal(gap.to, to);
}

static void test_ring(void **state) {
        AUTO(event_ring_freep) struct event_ring *r = NULL;

        assert_int_equal(event_ring_new(100, 1 << 20, &r), 0);
        assert_int_equal(event_ring_last(r), 0);
        assert_null(event_ring_first(r));
        expect_next(r, 0, 0, 0, 0);
        for (uint64_t i = 1; i <= 250; i++)
                assert_int_equal(add(r, i), 0);
        assert_int_equal(event_ring_count(r), 100);
        assert_int_equal(event_ring_first(r)->sequence, 151);
        assert_int_equal(event_ring_last(r), 250);
        expect_next(r, 0, 151, 1, 150);
        expect_next(r, 149, 151, 150, 150);
        expect_next(r, 150, 151, 0, 0);
        expect_next(r, 200, 201, 0, 0);
        expect_next(r, 250, 0, 0, 0);
        for (uint64_t i = 150; i < 250; i++)
                expect_next(r, i, i + 1, 0, 0);
        assert_int_equal(add(r, 250), -EINVAL); /* no number twice */
        assert_int_equal(add(r, 3), -EINVAL);
        /* Numbers that were used for nothing that is here. */
        event_ring_skip(r, 300);
        event_ring_skip(r, 280);
        assert_int_equal(event_ring_last(r), 300);
        expect_next(r, 250, 0, 251, 300);
        assert_int_equal(add(r, 301), 0);
        expect_next(r, 250, 301, 251, 300);
        expect_next(r, 300, 301, 0, 0);
}

static void test_ring_is_bounded_by_bytes(void **state) {
        AUTO(event_ring_freep) struct event_ring *r = NULL, *tiny = NULL;
        const struct event e = sample(1);

        assert_int_equal(event_ring_new(1000, event_size(&e) * 5 + 1, &r), 0);
        for (uint64_t i = 1; i <= 50; i++)
                assert_int_equal(add(r, i), 0);
        assert_int_equal(event_ring_count(r), 5);
        assert_int_equal(event_ring_first(r)->sequence, 46);
        assert_int_equal(event_ring_new(1, 1, &tiny), 0); /* one is always kept */
        assert_int_equal(add(tiny, 1), 0);
        assert_int_equal(add(tiny, 2), 0);
        assert_int_equal(event_ring_count(tiny), 1);
        expect_next(tiny, 0, 2, 1, 1);
}

/* ---- JSON ---- */

static void test_line(void **state) {
        static const struct event_detail details[] = { { "signal", "SIGTERM" }, { "MemoryMax", "\"1\\2\"" } };
        AUTO_BUF struct buf first = BUF_EMPTY, second = BUF_EMPTY;
        AUTO_FREE struct event *again = NULL;
        struct event e = sample(12);

        e.details = details;
        e.n_details = 2;
        assert_int_equal(event_line_encode(&e, &first), 0);
        buf_append_char(&first, '\0');
        assert_string_equal(first.data, "{\"sequence\":12,\"realtime\":1764115200000000,\"monotonic\":5,"
                                        "\"bootId\":\"01020300000000000000000000000000\",\"kind\":\"registered\","
                                        "\"machine\":\"web\",\"class\":\"container\",\"leader\":77,"
                                        "\"actor\":{\"uid\":1000,\"pid\":88},\"details\":{\"signal\":\"SIGTERM\","
                                        "\"MemoryMax\":\"\\\"1\\\\2\\\"\"}}\n");
        assert_int_equal(event_line_decode(first.data, first.size - 2, &again), 0);
        assert_int_equal(event_line_encode(again, &second), 0);
        buf_append_char(&second, '\0');
        assert_string_equal(first.data, second.data);
}

static void test_longest_line(void **state) {
        struct event_detail details[EVENT_DETAILS_MAX];
        char keys[EVENT_DETAILS_MAX][EVENT_KEY_MAX + 1], value[EVENT_VALUE_MAX + 1], name[65];
        AUTO_FREE struct event *again = NULL;
        AUTO_BUF struct buf line = BUF_EMPTY;
        struct event e = sample(EVENT_SEQUENCE_MAX);

        memset(value, '"', EVENT_VALUE_MAX);
        value[EVENT_VALUE_MAX] = '\0';
        memset(name, 'n', 64);
        name[64] = '\0';
        for (size_t i = 0; i < EVENT_DETAILS_MAX; i++) {
                memset(keys[i], (int) ('a' + i), EVENT_KEY_MAX);
                keys[i][EVENT_KEY_MAX] = '\0';
                details[i] = (struct event_detail){ keys[i], value };
        }
        e.machine = name;
        e.details = details;
        e.n_details = EVENT_DETAILS_MAX;
        e.realtime_usec = e.monotonic_usec = INT64_MAX;
        assert_true(event_is_valid(&e));
        assert_int_equal(event_line_encode(&e, &line), 0);
        assert_true(line.size <= EVENT_LINE_MAX);
        assert_int_equal(event_line_decode(line.data, line.size - 1, &again), 0);
        assert_string_equal(again->details[7].value, value);
}

#define GOOD_HEAD "{\"sequence\":1,\"realtime\":1,\"monotonic\":1,\"bootId\":\"01020300000000000000000000000000\","
#define GOOD_TAIL "\"machine\":\"a\",\"class\":\"vm\"}"

static void test_lines_that_are_no_events(void **state) {
        static const struct {
                const char *text;
                int result;
        } rows[] = {
                { GOOD_HEAD "\"kind\":\"removed\"," GOOD_TAIL, 0 },
                { GOOD_HEAD "\"kind\":\"of-a-later-version\",\"more\":[1]," GOOD_TAIL, 0 },
                { GOOD_HEAD GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"Removed\"," GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"\"," GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"machine\":\"a_b\",\"class\":\"vm\"}", -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"machine\":\"a\",\"class\":\"ship\"}", -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"leader\":-1," GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"actor\":5," GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"actor\":{\"uid\":4294967295}," GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"details\":{\"a\":5}," GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"details\":{\"a b\":\"5\"}," GOOD_TAIL, -EBADMSG },
                { GOOD_HEAD "\"kind\":\"removed\",\"details\":{\"a\":\"\\u001b\"}," GOOD_TAIL, -EBADMSG },
                { "{\"sequence\":0}", -EBADMSG },
                { "{}", -EBADMSG },
                { "[]", -EBADMSG },
                { "[[[[[[]]]]]]", -EBADMSG },
                { "", -EBADMSG },
                { "\xff", -EBADMSG },
        };
        char huge[EVENT_LINE_MAX + 2];

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                AUTO_FREE struct event *e = NULL;

                assert_int_equal(event_line_decode(rows[i].text, strlen(rows[i].text), &e), rows[i].result);
        }
        memset(huge, ' ', sizeof(huge));
        assert_int_equal(event_line_decode(huge, sizeof(huge), NULL), -EMSGSIZE);
}

/* ---- whole files ---- */

static int collect(void *userdata, struct event **e) {
        return buf_printf(userdata, "%d ", (int) (*e)->sequence);
}

static void test_files(void **state) {
        static const struct {
                const char *text; /* a digit: the line of an event of that number; others: as they are */
                uint64_t after;
                int result;
                const char *found;
                unsigned line;
        } rows[] = {
                { "", 0, EVENT_LINES_GOOD, "", 0 },
                { "1\n2\n3\n", 0, EVENT_LINES_GOOD, "1 2 3 ", 0 },
                { "1\n5\n", 0, EVENT_LINES_GOOD, "1 5 ", 0 }, /* numbers may be left out */
                { "1\n2\n3", 0, EVENT_LINES_TORN, "1 2 ", 3 },
                { "1\n{\"seq", 0, EVENT_LINES_TORN, "1 ", 2 },
                { "1\nrubbish", 0, EVENT_LINES_BAD, "1 ", 2 },
                { "1\nrubbish\n3\n", 0, EVENT_LINES_BAD, "1 3 ", 2 },
                { "1\n\n3\n", 0, EVENT_LINES_BAD, "1 3 ", 2 },
                { "1\nrubbish\n3", 0, EVENT_LINES_BAD, "1 ", 2 },
                { "1\n3\n2\n4\n", 0, EVENT_LINES_BAD, "1 3 4 ", 3 },
                { "1\n1\n", 0, EVENT_LINES_BAD, "1 ", 2 },
                { "3\n4\n", 3, EVENT_LINES_BAD, "4 ", 1 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                AUTO_BUF struct buf text = BUF_EMPTY, found = BUF_EMPTY;
                struct diag d = { .line = 0 };

                for (const char *p = rows[i].text; *p; p++) {
                        struct event e = sample((uint64_t) (*p - '0'));

                        if (*p >= '1' && *p <= '9') {
                                assert_int_equal(event_line_encode(&e, &text), 0);
                                text.size--; /* the newline comes with the row */
                        } else
                                buf_append_char(&text, *p);
                }
                assert_int_equal(event_lines_decode(text.data, text.size, rows[i].after, collect, &found, &d),
                                 rows[i].result);
                buf_append_char(&found, '\0');
                assert_string_equal(found.data, rows[i].found);
                assert_int_equal(d.line, rows[i].line);
        }
}

static void test_numbers_out_of_all_proportion(void **state) {
        AUTO_BUF struct buf text = BUF_EMPTY, found = BUF_EMPTY;
        const struct event good = sample(1), bad = sample(EVENT_SEQUENCE_MAX - 1), next = sample(2);
        struct diag d = { .line = 0 };

        event_line_encode(&good, &text);
        event_line_encode(&bad, &text);
        event_line_encode(&next, &text);
        assert_int_equal(event_lines_decode(text.data, text.size, 0, collect, &found, &d), EVENT_LINES_BAD);
        buf_append_char(&found, '\0');
        assert_string_equal(found.data, "1 2 ");
}

/* ---- replies ---- */

static int decode(const char *text, struct event_reply *ret) {
        struct varlink_answer answer;
        int r;

        assert_int_equal(varlink_answer_decode(text, strlen(text), &answer), 0);
        r = event_reply_decode(&answer, ret);
        varlink_answer_done(&answer);
        return r;
}

static void test_replies(void **state) {
        struct event_reply reply;

        assert_int_equal(decode("{\"parameters\":{\"gap\":{\"from\":3,\"to\":9}}}", &reply), 0);
        assert_int_equal(reply.gap.from, 3);
        assert_int_equal(reply.gap.to, 9);
        assert_int_equal(decode("{\"parameters\":{\"position\":{\"sequence\":4,\"bootId\":"
                                "\"01020300000000000000000000000000\"}}}",
                                &reply),
                         0);
        assert_true(reply.position.set && reply.position.sequence == 4 && !reply.event);
        assert_int_equal(decode("{\"parameters\":{\"event\":" GOOD_HEAD "\"kind\":\"kill\"," GOOD_TAIL "}}", &reply),
                         0);
        assert_string_equal(reply.event->kind, "kill");
        free(reply.event);
        assert_int_equal(decode("{\"parameters\":{\"gap\":{\"from\":9,\"to\":3}}}", &reply), -EBADMSG);
        assert_int_equal(decode("{\"parameters\":{\"gap\":{\"from\":0,\"to\":3}}}", &reply), -EBADMSG);
        assert_int_equal(decode("{\"parameters\":{\"event\":{}}}", &reply), -EBADMSG);
        assert_int_equal(decode("{}", &reply), -EBADMSG);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_ring_is_bounded_by_bytes),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_lines_that_are_no_events),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_numbers_out_of_all_proportion),
        cmocka_unit_test(test_replies),
};

RUN_TESTS(tests)
