/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions and answers survive the way; everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "codec/helper-protocol.h"

static const struct helper_question good = {
        .kind = HELPER_ADDRESSES,
        .number = UINT64_MAX - 5,
        .pid = 4711,
        .id = 1ULL << 40,
        .start = 77,
};

static void test_question_round_trip(void **state) {
        static const struct helper_question cases[] = {
                { .kind = HELPER_ADDRESSES, .number = UINT64_MAX, .pid = INT32_MAX, .id = UINT64_MAX, .start = 3 },
                { .kind = HELPER_OS_RELEASE, .number = 0, .pid = 1 },
                { .kind = HELPER_OS_RELEASE, .number = 9, .flags = HELPER_HOST },
                { .kind = HELPER_KILL_TREE, .number = 1, .pid = 2, .signal = 64 },
                { .kind = HELPER_KILL_TREE, .number = 1, .pid = 2, .signal = 1, .uid = 4294967294 },
                { .kind = HELPER_OPEN_ROOT, .number = 1, .pid = 2 },
                { .kind = HELPER_OPEN_ROOT, .number = 1, .flags = HELPER_HOST },
        };
        uint8_t packet[HELPER_QUESTION_SIZE];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct helper_question q;

                helper_question_encode(&cases[i], packet);
                assert_int_equal(helper_question_decode(packet, sizeof(packet), &q), 0);
                assert_int_equal(q.kind, cases[i].kind);
                assert_int_equal(q.flags, cases[i].flags);
                assert_int_equal(q.signal, cases[i].signal);
                assert_int_equal(q.pid, cases[i].pid);
                assert_int_equal(q.uid, cases[i].uid);
                assert_true(q.number == cases[i].number && q.id == cases[i].id && q.start == cases[i].start);
        }
}

static void test_question_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
        } cases[] = {
                { 0, 'X' },
                { 3, 0 },
                { 4, 0 },
                { 4, _HELPER_KIND_MAX },
                { 4, HELPER_KILL_TREE } /* no signal */,
                { 5, 2 },
                { 5, HELPER_HOST } /* with a pid */,
                { 6, 1 },
                { 19, 0x80 } /* pid negative */,
                { 20, 9 } /* signal without kill */,
                { 40, 1 } /* user without kill */,
        };
        uint8_t packet[HELPER_QUESTION_SIZE + 1] = { 0 };
        struct helper_question q;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                helper_question_encode(&good, packet);
                packet[cases[i].at] = cases[i].value;
                assert_int_equal(helper_question_decode(packet, HELPER_QUESTION_SIZE, &q), -EBADMSG);
        }
        helper_question_encode(&good, packet);
        for (size_t size = 0; size <= sizeof(packet); size++)
                assert_int_equal(helper_question_decode(packet, size, &q), size == HELPER_QUESTION_SIZE ? 0 : -EBADMSG);
}

static void test_addresses(void **state) {
        AUTO_FREE struct helper_answer *in = calloc(1, sizeof(*in)), *out = calloc(1, sizeof(*out));
        AUTO_FREE uint8_t *packet = malloc(HELPER_ANSWER_MAX);
        size_t size = 0;

        *in = (struct helper_answer){ .kind = HELPER_ADDRESSES, .number = 12, .n_addresses = 2 };
        in->addresses[0] = (struct address){ .ifindex = 3, .family = AF_INET, .bytes = { 10, 0, 0, 1 } };
        in->addresses[1] = (struct address){ .ifindex = 4, .family = AF_INET6, .bytes = { 0xfe, 0x80, [15] = 1 } };
        assert_int_equal(helper_answer_encode(in, packet, &size), 0);
        assert_int_equal(size, 24 + 48);
        assert_int_equal(helper_answer_decode(packet, size, out), 0);
        assert_int_equal(out->number, 12);
        assert_int_equal(out->n_addresses, 2);
        assert_memory_equal(out->addresses, in->addresses, 2 * sizeof(struct address));

        packet[24 + 4] = AF_UNIX;
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
        packet[24 + 4] = AF_INET;
        packet[24 + 23] = 1; /* beyond an IPv4 address */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
        packet[24 + 23] = 0;
        packet[20] = 3; /* one more than there are */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);

        in->n_addresses = HELPER_ADDRESSES_MAX;
        for (size_t i = 0; i < HELPER_ADDRESSES_MAX; i++)
                in->addresses[i] = (struct address){ .ifindex = 1, .family = AF_INET6, .bytes = { 1 } };
        assert_int_equal(helper_answer_encode(in, packet, &size), 0);
        assert_int_equal(helper_answer_decode(packet, size, out), 0);
}

static void test_strings(void **state) {
        AUTO_FREE struct helper_answer *in = calloc(1, sizeof(*in)), *out = calloc(1, sizeof(*out));
        AUTO_FREE uint8_t *packet = malloc(HELPER_ANSWER_MAX);
        char id[] = "ID=debian", name[] = "PRETTY_NAME=D\xc3\xa9"
                                          "bian";
        size_t size = 0;

        *in = (struct helper_answer){ .kind = HELPER_OS_RELEASE, .n_strings = 2, .strings = { id, name } };
        assert_int_equal(helper_answer_encode(in, packet, &size), 0);
        assert_int_equal(helper_answer_decode(packet, size, out), 0);
        assert_int_equal(out->n_strings, 2);
        assert_string_equal(out->strings[0], id);
        assert_string_equal(out->strings[1], name);
        assert_null(out->strings[2]);

        assert_int_equal(helper_answer_decode(packet, size - 1, out), -EBADMSG); /* not terminated */
        packet[20] = 1;                                                          /* bytes behind the last */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
        packet[20] = 0;
        packet[23] = 0xff;
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
}

static void test_both(void **state) {
        AUTO_FREE struct helper_answer *in = calloc(1, sizeof(*in)), *out = calloc(1, sizeof(*out));
        AUTO_FREE uint8_t *packet = malloc(HELPER_ANSWER_MAX);
        char id[] = "ID=debian";
        size_t size = 0;

        *in = (struct helper_answer){ .kind = HELPER_BOTH, .n_addresses = 1, .n_strings = 1, .strings = { id } };
        in->addresses[0] = (struct address){ .ifindex = 3, .family = AF_INET, .bytes = { 10, 0, 0, 1 } };
        assert_int_equal(helper_answer_encode(in, packet, &size), 0);
        assert_int_equal(size, 24 + 16 + 24 + sizeof(id));
        assert_int_equal(helper_answer_decode(packet, size, out), 0);
        assert_int_equal(out->n_addresses, 1);
        assert_memory_equal(out->addresses, in->addresses, sizeof(struct address));
        assert_int_equal(out->n_strings, 1);
        assert_string_equal(out->strings[0], id);

        packet[20] = 2; /* two addresses: the second would be the string */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
        packet[20] = 1;
        packet[24 + 12] = 1; /* what must be 0 */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
        packet[24 + 12] = 0;
        memset(packet + 24, 0xff, 4); /* -EPERM, and an address all the same */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
        assert_int_equal(helper_answer_decode(packet, 24 + 15, out), -EBADMSG);

        in->addresses_error = -EHOSTUNREACH;
        assert_int_equal(helper_answer_encode(in, packet, &size), 0);
        assert_int_equal(helper_answer_decode(packet, size, out), 0);
        assert_int_equal(out->addresses_error, -EHOSTUNREACH);
        assert_int_equal(out->n_addresses, 0);
        assert_int_equal(out->os_release_error, 0);
        assert_int_equal(out->n_strings, 1);
}

static void test_errors(void **state) {
        AUTO_FREE struct helper_answer *in = calloc(1, sizeof(*in)), *out = calloc(1, sizeof(*out));
        uint8_t packet[25] = { 0 };
        size_t size = 0;

        *in = (struct helper_answer){ .kind = HELPER_KILL_TREE, .number = 5, .error = -ESRCH };
        assert_int_equal(helper_answer_encode(in, packet, &size), 0);
        assert_int_equal(size, 24);
        assert_int_equal(helper_answer_decode(packet, size, out), 0);
        assert_int_equal(out->error, -ESRCH);
        assert_int_equal(helper_answer_decode(packet, size + 1, out), -EBADMSG);
        memset(packet + 16, 0, 4);
        packet[16] = 1; /* a positive error */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
        packet[17] = 0x80;
        packet[19] = 0xff; /* far below any errno */
        assert_int_equal(helper_answer_decode(packet, size, out), -EBADMSG);
}

static void test_string_rules(void **state) {
        static const struct {
                const char *s;
                bool valid;
        } cases[] = {
                { "A=b", true },
                { "A=", true },
                { "_x9=\xe2\x82\xac", true },
                { "A=\xf0\x9f\x90\x8b", true },
                { "", false },
                { "A", false },
                { "=x", false },
                { "9A=x", false },
                { "A B=x", false },
                { "A=x\ny", false },
                { "A=\x1b[2J", false },
                { "A=\x7f", false },
                { "A=\xc2\x9b", false },
                { "A=\xc0\xaf", false },
                { "A=\xed\xa0\x80", false },
                { "A=\xf4\x90\x80\x80", false },
                { "A=\xc3", false },
                { "A=\xe2\x82", false },
                { "A=\xe0\x80\x80", false },
                { "A=\xff", false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (helper_string_is_valid(cases[i].s, strlen(cases[i].s)) != cases[i].valid)
                        fail_msg("row %zu is wrong", i);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_question_round_trip),
                cmocka_unit_test(test_question_refused),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_both),
                cmocka_unit_test(test_errors),
                cmocka_unit_test(test_string_rules),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
