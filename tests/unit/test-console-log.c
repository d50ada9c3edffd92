/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The console's log: bytes to lines, lines to records, and back. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "codec/console-log.h"
#include "codec/utf8.h"

#define TEXT(s) (s), sizeof(s) - 1

/* Each line as "KIND:TEXT/". */
static void take(enum console_kind kind, const char *line, size_t size, void *userdata) {
        struct buf *out = userdata;

        buf_printf(out, "%s:", console_kind_to_string(kind));
        console_text_escape(line, size, out);
        buf_append_char(out, '/');
}

static void test_lines(void **state) {
        static const struct {
                const char *data;
                size_t size;
                const char *lines;
        } cases[] = {
                { TEXT(""), "" },
                { TEXT("a\n"), "line:a/" },
                { TEXT("a\r\nb\n"), "line:a/line:b/" },
                { TEXT("\n\r\n"), "line:/line:/" },
                { TEXT("login: "), "part:login: /" },
                { TEXT("a\nb"), "line:a/part:b/" },
                { TEXT("10%\r20%\r\n"), "line:10%\\r20%/" },
                { TEXT("a\r\r\n"), "line:a\\r/" },
                { TEXT("a\r"), "part:a\\r/" },
                { TEXT("a\0b\n"), "line:a\\x00b/" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t step = 1; step <= 3; step++) {
                        AUTO_BUF struct buf out = BUF_EMPTY;
                        struct console_lines l;

                        console_lines_init(&l);
                        for (size_t at = 0; at < cases[i].size; at += step) {
                                size_t left = cases[i].size - at;

                                console_lines_feed(&l, cases[i].data + at, left < step ? left : step, take, &out);
                        }
                        console_lines_end(&l, take, &out);
                        assert_string_equal(strempty(out.data), cases[i].lines);
                }
}

static void count_sizes(enum console_kind kind, const char *line, size_t size, void *userdata) {
        buf_printf(userdata, "%c%zu ", kind == CONSOLE_LINE ? 'l' : 'p', size);
}

static void test_long_lines(void **state) {
        static char data[CONSOLE_LINE_MAX * 2 + 3];
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct console_lines l;

        memset(data, 'x', sizeof(data));
        data[CONSOLE_LINE_MAX] = '\n'; /* as long as can be, and its end */
        console_lines_init(&l);
        console_lines_feed(&l, data, sizeof(data), count_sizes, &out);
        console_lines_feed(&l, "\n", 1, count_sizes, &out);
        console_lines_end(&l, count_sizes, &out);
        assert_string_equal(out.data, "l8192 p8192 l2 ");
}

static void test_escape(void **state) {
        static const struct {
                const char *data;
                size_t size;
                const char *text;
        } cases[] = {
                { TEXT("plain ~"), "plain ~" },
                { TEXT("a\tb\rc\nd\\e"), "a\\tb\\rc\\nd\\\\e" },
                { TEXT("\033[2J\033]0;title\007"), "\\x1b[2J\\x1b]0;title\\x07" },
                { TEXT("\0\x7f\x80\xff"), "\\x00\\x7f\\x80\\xff" },
                { TEXT("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7"), "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\xa7" },
                { TEXT("\xc2\x9b"
                       "2J"),
                  "\\xc2\\x9b2J" },                                        /* the C1 form of ESC [ */
                { TEXT("\xe2\x80\xaegpj.exe"), "\\xe2\\x80\\xaegpj.exe" }, /* from right to left */
                { TEXT("\xe2\x81\xa6x\xe2\x81\xa9"), "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9" },
                { TEXT("\xe2\x80\xa7\xe2\x80\xb0\xe2\x81\xa5"),
                  "\xe2\x80\xa7\xe2\x80\xb0\xe2\x81\xa5" }, /* beside them */
                { TEXT("\xc3"), "\\xc3" },
                { TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80" },
                { TEXT("\\x41"), "\\\\x41" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf text = BUF_EMPTY, bytes = BUF_EMPTY;

                console_text_escape(cases[i].data, cases[i].size, &text);
                assert_string_equal(text.data, cases[i].text);
                assert_int_equal(console_text_unescape(text.data, text.size, &bytes), 0);
                assert_int_equal(bytes.size, cases[i].size);
                assert_memory_equal(bytes.data, cases[i].data, bytes.size);
        }
}

static void test_unescape_refuses(void **state) {
        static const char *const wrong[] = {
                "\\",        "a\\",   "\\q",  "\\x",  "\\x1",  "\\x1g",
                "\\X1b",     "\\x1B", "\033", "\xff", "\\x41", /* would be written as it is */
                "\\x09",                                       /* would be \t */
                "\\x5c",                                       /* would be two backslashes */
                "\\xc3\\xa4"                                   /* would be the character */
        };

        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                AUTO_BUF struct buf bytes = BUF_EMPTY;

                if (console_text_unescape(wrong[i], strlen(wrong[i]), &bytes) != -EBADMSG)
                        fail_msg("%s was taken", wrong[i]);
        }
}

static void test_stamps(void **state) {
        static const struct {
                uint64_t usec;
                const char *text;
        } cases[] = {
                { 0, "1970-01-01T00:00:00.000000Z" },
                { UINT64_C(951782400) * 1000000, "2000-02-29T00:00:00.000000Z" },
                { UINT64_C(1795687200) * 1000000 + 7, "2026-11-26T10:00:00.000007Z" },
                { UINT64_C(4107542399) * 1000000 + 999999, "2100-02-28T23:59:59.999999Z" },
                { UINT64_C(4107542400) * 1000000, "2100-03-01T00:00:00.000000Z" },
                { UINT64_C(253402300799) * 1000000 + 999999, "9999-12-31T23:59:59.999999Z" },
        };
        char text[CONSOLE_STAMP_SIZE + 1];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf line = BUF_EMPTY;
                struct console_record r;

                console_stamp(cases[i].usec, text);
                assert_string_equal(text, cases[i].text);
                buf_printf(&line, "%s | x", text);
                assert_int_equal(console_record_decode(line.data, line.size, &r), 0);
                assert_int_equal(r.usec, cases[i].usec);
        }
        console_stamp(UINT64_MAX, text);
        assert_string_equal(text, cases[ELEMENTS(cases) - 1].text);
}

static void test_records(void **state) {
        for (int kind = 0; kind < _CONSOLE_KIND_MAX; kind++) {
                AUTO_BUF struct buf line = BUF_EMPTY;
                struct console_record r;

                assert_int_equal(console_kind_from_string(console_kind_to_string((enum console_kind) kind)), kind);
                console_record_encode(12345678, (enum console_kind) kind, TEXT("a | \\x1b"), &line);
                assert_int_equal(line.data[line.size - 1], '\n');
                assert_int_equal(console_record_decode(line.data, line.size - 1, &r), 0);
                assert_int_equal(r.kind, kind);
                assert_int_equal(r.usec, 12345678);
                assert_int_equal(r.size, 8);
                assert_memory_equal(r.text, "a | \\x1b", 8);
        }
}

static void test_records_refused(void **state) {
        static const char *const wrong[] = {
                "",
                "2026-11-26T10:00:00.000007Z",
                "2026-11-26T10:00:00.000007Z |",
                "2026-11-26T10:00:00.000007Z |x",
                "2026-11-26T10:00:00.000007Z|  x",
                "2026-11-26T10:00:00.000007Z ? x",
                "2026-11-26T10:00:00.000007Z | \033[2J",
                "2026-11-26T10:00:00.000007Z | \\y",
                "2026-11-26 10:00:00.000007Z | x",
                "2026-11-26T10:00:00.00007Z  | x",
                "2026-11-26T24:00:00.000007Z | x",
                "2026-11-26T10:60:00.000007Z | x",
                "2026-11-26T10:00:60.000007Z | x",
                "2026-13-26T10:00:00.000007Z | x",
                "2026-00-26T10:00:00.000007Z | x",
                "2026-02-29T10:00:00.000007Z | x",
                "2026-02-00T10:00:00.000007Z | x",
                "1969-11-26T10:00:00.000007Z | x",
                "-026-11-26T10:00:00.000007Z | x",
        };
        struct console_record r;

        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                if (console_record_decode(wrong[i], strlen(wrong[i]), &r) != -EBADMSG)
                        fail_msg("%s was taken", wrong[i]);
}

/* The longest line of the worst bytes is a record that can be read. */
static void test_bounds(void **state) {
        static char data[CONSOLE_LINE_MAX];
        AUTO_BUF struct buf text = BUF_EMPTY, line = BUF_EMPTY;
        struct console_record r;

        console_text_escape(data, sizeof(data), &text);
        assert_int_equal(text.size, 4 * sizeof(data));
        console_record_encode(1, CONSOLE_PART, text.data, text.size, &line);
        assert_true(line.size <= CONSOLE_RECORD_MAX);
        assert_int_equal(console_record_decode(line.data, line.size - 1, &r), 0);
        while (line.size < CONSOLE_RECORD_MAX)
                buf_append_char(&line, 'x');
        assert_int_equal(console_record_decode(line.data, line.size, &r), -EBADMSG);
}

static void test_utf8(void **state) {
        assert_int_equal(utf8_printable("", 0), 0);
        assert_int_equal(utf8_printable("\xc3\xa4", 2), 2);
        assert_int_equal(utf8_printable("\xc3\xa4", 1), 0);
        assert_int_equal(utf8_printable("\xc2\x85", 2), 0);
        assert_int_equal(utf8_printable("\xc0\xaf", 2), 0);
        assert_int_equal(utf8_printable("\xf4\x90\x80\x80", 4), 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_unescape_refuses),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_records_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_utf8),
};

RUN_TESTS(tests)
