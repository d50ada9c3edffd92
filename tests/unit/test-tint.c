/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What programs send to terminals, and where the colour has to come again. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/tint.h"

#define T "\033[44m"

static void feed(struct tint *t, const char *in, size_t size, size_t room, char *ret) {
        size_t written = 0;

        while (size > 0) {
                size_t n = size;

                written += tint_feed(t, in, &n, ret + written, room);
                assert_true(n > 0 && n <= size);
                in += n;
                size -= n;
        }
        ret[written] = '\0';
}

static void test_cases(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "plain\r\ntext", "plain\r\ntext" },
                { "\033[m", "\033[m" T },
                { "\033[0m", "\033[0m" T },
                { "a\033[0mb", "a\033[0m" T "b" },
                { "\033[1;31m", "\033[1;31m" },
                { "\033[0;1m", "\033[0;1m" T },
                { "\033[;1m", "\033[;1m" T },
                { "\033[49m", "\033[49m" T },
                { "\033[41m", "\033[41m" },
                { "\033[0;41m", "\033[0;41m" },
                { "\033[41;0m", "\033[41;0m" T },
                { "\033[38;5;0m", "\033[38;5;0m" },
                { "\033[48;2;0;0;0m", "\033[48;2;0;0;0m" },
                { "\033[38;2;49;0;0;1m", "\033[38;2;49;0;0;1m" },
                { "\033[38;5;7;0m", "\033[38;5;7;0m" T },
                { "\033[0K\033[0;5H\033[2J", "\033[0K\033[0;5H\033[2J" },
                { "\033[?0m\033[>4;0m\033[4:0m", "\033[?0m\033[>4;0m\033[4:0m" },
                { "\033[!p", "\033[!p" T },
                { "\033c", "\033c" T },
                { "\033(B\033[m", "\033(B\033[m" T },
                { "\033]0;a [0m title\007b", "\033]0;a [0m title\007b" },
                { "\033]0;\033[0m\033\\", "\033]0;\033[0m" T "\033\\" }, /* an escape sequence ends the string: xterm */
                { "\033P0m\033\\\033[m", "\033P0m\033\\\033[m" T },
                { "\033[0\030m\033[m", "\033[0\030m\033[m" T },
                { "\033\033[m", "\033\033[m" T },
                { "\033[1\033[m", "\033[1\033[m" T },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t step = 1; step < 4; step++) {
                        char out[256] = "";
                        struct tint t;

                        tint_init(&t, "44");
                        for (size_t at = 0, size = strlen(cases[i].in); at < size; at += step)
                                feed(&t, cases[i].in + at, size - at < step ? size - at : step, TINT_ROOM,
                                     out + strlen(out));
                        if (!streq(out, cases[i].out))
                                fail_msg("case %zu, in steps of %zu: %s", i, step, out + 1);
                }
}

static void test_bounds(void **state) {
        char color[TINT_COLOR_MAX + 2], in[3000], out[100000];
        struct tint t;

        memset(color, '1', sizeof(color));
        color[TINT_COLOR_MAX + 1] = '\0';
        tint_init(&t, color);
        assert_int_equal(t.size, 0);
        color[TINT_COLOR_MAX] = '\0';
        tint_init(&t, color);
        for (size_t i = 0; i + 3 <= sizeof(in); i += 3)
                memcpy(in + i, "\033[m", 3);
        feed(&t, in, sizeof(in), TINT_ROOM, out);
        assert_int_equal(strlen(out), sizeof(in) / 3 * (3 + TINT_COLOR_MAX + 3));
        tint_init(&t, "");
        feed(&t, in, sizeof(in), 5, out);
        assert_memory_equal(out, in, sizeof(in));
        memset(in, '1', sizeof(in)); /* more parameters than anybody means */
        memcpy(in, "\033[", 2);
        in[sizeof(in) - 1] = 'm';
        tint_init(&t, "44");
        feed(&t, in, sizeof(in), TINT_ROOM, out);
        assert_memory_equal(out, in, sizeof(in));
}

/* Whatever comes: every byte of it is passed on, in order, and between them nothing but the colour. */
static void test_random(void **state) {
        static const char bytes[] = "\033[]m0;49\007\\c!p?:P ";
        char in[64], out[8192];

        srand(1);
        for (int round = 0; round < 20000; round++) {
                size_t size = (size_t) rand() % sizeof(in);
                struct tint t;

                for (size_t i = 0; i < size; i++)
                        in[i] = bytes[(size_t) rand() % (sizeof(bytes) - 1)];
                tint_init(&t, "55"); /* a digit that is nowhere else */
                feed(&t, in, size, TINT_ROOM, out);
                for (char *p; (p = strstr(out, "\033[55m"));)
                        memmove(p, p + 5, strlen(p + 5) + 1);
                assert_int_equal(strlen(out), size);
                assert_memory_equal(out, in, size);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_random),
};

RUN_TESTS(tests)
