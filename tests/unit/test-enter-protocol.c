/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "codec/enter-protocol.h"

static struct session *example(void) {
        struct session *s = NULL;

        assert_int_equal(session_new(SESSION_SHELL, &s), 0);
        s->terminal = true;
        s->rows = 25;
        s->columns = 300;
        s->timeout_usec = UINT64_C(0x0102030405060708);
        assert_int_equal(str_replace(&s->user, "me"), 0);
        assert_int_equal(str_replace(&s->directory, "/tmp"), 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(strv_extend(&s->arguments, i == 1 ? "" : "w\xff rd"), 0);
        assert_int_equal(strv_extend(&s->environment, "A=b"), 0);
        return s;
}

static void test_request(void **state) {
        AUTO(session_freep) struct session *s = example(), *t = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(enter_request_encode(s, &out), 0);
        assert_int_equal(enter_request_decode(out.data, out.size, &t), 0);
        assert_int_equal(t->kind, SESSION_SHELL);
        assert_true(t->terminal);
        assert_false(t->detach || t->argv0);
        assert_int_equal(t->rows, 25);
        assert_int_equal(t->columns, 300);
        assert_int_equal(t->timeout_usec, UINT64_C(0x0102030405060708));
        assert_string_equal(t->user, "me");
        assert_string_equal(t->directory, "/tmp");
        assert_int_equal(strv_length(t->arguments), 3);
        assert_string_equal(t->arguments[0], "w\xff rd");
        assert_string_equal(t->arguments[1], "");
        assert_string_equal(t->environment[0], "A=b");
        assert_null(t->environment[1]);
        for (int i = 0; i < _SESSION_FD_MAX; i++)
                assert_int_equal(t->fds[i], -EBADF);
}

/* Every request that is shorter, and every one with something behind it, is refused. */
static void test_sizes(void **state) {
        AUTO(session_freep) struct session *s = example(), *t = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(enter_request_encode(s, &out), 0);
        for (size_t size = 0; size < out.size; size++)
                assert_int_equal(enter_request_decode(out.data, size, &t), -EBADMSG);
        buf_append_char(&out, 'x');
        assert_int_equal(enter_request_decode(out.data, out.size, &t), -EBADMSG);
        assert_null(t);
}

static void test_wrong_bytes(void **state) {
        /* where in the head, and what */
        static const struct {
                size_t at;
                uint8_t byte;
        } cases[] = { { 0, 'X' },  { 4, _SESSION_KIND_MAX },
                      { 5, 0x80 }, { 6, 1 },
                      { 7, 1 },    { 20, 9 },
                      { 21, 1 },   { 22, 1 },
                      { 24, 5 },   { 28, 1 },
                      { 32, 1 },   { 35, 1 },
                      { 36, ':' }, { 39, 'x' /* no absolute path */ } };
        AUTO(session_freep) struct session *s = example(), *t = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(enter_request_encode(s, &out), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char old = out.data[cases[i].at];

                out.data[cases[i].at] = (char) cases[i].byte;
                if (enter_request_decode(out.data, out.size, &t) != -EBADMSG)
                        fail_msg("byte %zu", cases[i].at);
                out.data[cases[i].at] = old;
        }
        assert_int_equal(enter_request_decode(out.data, out.size, &t), 0);
}

static void test_reports(void **state) {
        static const struct {
                enum enter_report_kind kind;
                int32_t value;
                bool valid;
        } cases[] = {
                { ENTER_REPORT_TERMINAL, 0, true },  { ENTER_REPORT_TERMINAL, 1, false },
                { ENTER_REPORT_STARTED, 1, true },   { ENTER_REPORT_STARTED, 0, false },
                { ENTER_REPORT_STARTED, -1, false }, { ENTER_REPORT_FAILED, 125, true },
                { ENTER_REPORT_FAILED, 127, true },  { ENTER_REPORT_FAILED, 0, false },
                { ENTER_REPORT_FAILED, 128, false }, { ENTER_REPORT_EXITED, 0, true },
                { ENTER_REPORT_EXITED, 255, true },  { ENTER_REPORT_EXITED, 256, false },
                { ENTER_REPORT_EXITED, -1, false },  { ENTER_REPORT_SIGNALED, 64, true },
                { ENTER_REPORT_SIGNALED, 0, false }, { ENTER_REPORT_SIGNALED, 65, false },
                { ENTER_REPORT_TIMEOUT, 0, true },   { 0, 0, false },
                { _ENTER_REPORT_MAX, 0, false },
        };
        uint8_t packet[ENTER_REPORT_MAX + 1] = { 0 };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct enter_report r = { .kind = cases[i].kind, .value = cases[i].value, .text = "why" }, t = { 0 };
                size_t size = enter_report_encode(&r, packet);

                if ((enter_report_decode(packet, size, &t) == 0) != cases[i].valid)
                        fail_msg("kind %d, value %d", (int) cases[i].kind, (int) cases[i].value);
                if (!cases[i].valid)
                        continue;
                assert_int_equal(t.kind, r.kind);
                assert_int_equal(t.value, r.value);
                assert_string_equal(t.text, "why");
        }
}

static void test_report_sizes(void **state) {
        struct enter_report r = { .kind = ENTER_REPORT_FAILED, .value = 125 }, t;
        uint8_t packet[ENTER_REPORT_MAX + 1];
        size_t size;

        memset(r.text, 'x', ENTER_REPORT_TEXT_MAX);
        size = enter_report_encode(&r, packet);
        assert_int_equal(size, ENTER_REPORT_MAX);
        assert_int_equal(enter_report_decode(packet, size, &t), 0);
        assert_int_equal(strlen(t.text), ENTER_REPORT_TEXT_MAX);
        packet[size] = 'x';
        assert_int_equal(enter_report_decode(packet, size + 1, &t), -EBADMSG);
        for (size_t n = 0; n < 16; n++)
                assert_int_equal(enter_report_decode(packet, n, &t), -EBADMSG);
        packet[20] = '\0';
        assert_int_equal(enter_report_decode(packet, size, &t), -EBADMSG);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request), cmocka_unit_test(test_sizes),        cmocka_unit_test(test_wrong_bytes),
        cmocka_unit_test(test_reports), cmocka_unit_test(test_report_sizes),
};
RUN_TESTS(tests)
