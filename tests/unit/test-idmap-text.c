/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts of /proc/PID/uid_map (user_namespaces(7)) -> ranges. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "codec/idmap-text.h"

static const struct {
        const char *what, *text;
        int result;
        const char *ranges; /* "inside outside count;" */
} cases[] = {
        { "the host", "         0          0 4294967295\n", 0, "0 0 4294967295;" },
        { "a container", "         0     524288      65536\n", 0, "0 524288 65536;" },
        { "two lines", "0 1000 1\n1 100000 65536\n", 0, "0 1000 1;1 100000 65536;" },
        { "no newline", "0 1000 1", 0, "0 1000 1;" },
        { "tabs and outer blanks", " 0\t1000\t 1 \n", 0, "0 1000 1;" },
        { "not written yet", "", 0, "" },
        { "empty lines", "\n\n0 1000 1\n\n", 0, "0 1000 1;" },
        { "up to the last number", "0 4294967295 1\n", 0, "0 4294967295 1;" },
        { "one past it, outside", "0 4294967295 2\n", -EBADMSG, "" },
        { "one past it, inside", "4294967295 0 2\n", -EBADMSG, "" },
        { "nothing in it", "0 1000 0\n", -EBADMSG, "" },
        { "two numbers", "0 1000\n", -EBADMSG, "" },
        { "four numbers", "0 1000 1 1\n", -EBADMSG, "" },
        { "a word", "0 x 1\n", -EBADMSG, "" },
        { "a sign", "0 -1 1\n", -EBADMSG, "" },
        { "hexadecimal", "0 0x10 1\n", -EBADMSG, "" },
        { "too large a number", "0 4294967296 1\n", -EBADMSG, "" },
        { "far too large a number", "0 99999999999999999999999999 1\n", -EBADMSG, "" },
        { "good, then bad", "0 1000 1\nx\n", -EBADMSG, "" },
};

static void test_table(void **state) {
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf shown = BUF_EMPTY;
                size_t size = strlen(cases[i].text);
                AUTO_FREE char *text = malloc(size ? size : 1);
                struct idmap map = { NULL, 0 };
                int r;

                assert_non_null(text);
                memcpy(text, cases[i].text, size);
                r = idmap_decode(text, size, &map);
                for (size_t k = 0; k < map.n_ranges; k++)
                        buf_printf(&shown, "%u %u %u;", map.ranges[k].inside, map.ranges[k].outside,
                                   map.ranges[k].count);
                if (r != cases[i].result || !streq(shown.size ? shown.data : "", cases[i].ranges))
                        fail_msg("%s: %d %s", cases[i].what, r, shown.size ? shown.data : "");
                idmap_done(&map);
        }
}

static void test_nul(void **state) {
        struct idmap map = { NULL, 0 };

        assert_int_equal(idmap_decode("0 1 1\n\0", 7, &map), -EBADMSG);
        assert_null(map.ranges);
}

/* As many lines as the kernel takes, and one more. */
static void test_limit(void **state) {
        AUTO_BUF struct buf text = BUF_EMPTY;
        struct idmap map = { NULL, 0 };

        for (unsigned i = 0; i < IDMAP_RANGES_MAX; i++)
                assert_int_equal(buf_printf(&text, "%10u %10u %10u\n", i, 100000 + i, 1), 0);
        assert_int_equal(idmap_decode(text.data, text.size, &map), 0);
        assert_int_equal(map.n_ranges, IDMAP_RANGES_MAX);
        assert_int_equal(map.ranges[IDMAP_RANGES_MAX - 1].outside, 100000 + IDMAP_RANGES_MAX - 1);
        idmap_done(&map);
        map = (struct idmap){ NULL, 0 };
        assert_int_equal(buf_append_str(&text, "999999 1 1\n"), 0);
        assert_int_equal(idmap_decode(text.data, text.size, &map), -E2BIG);
        assert_null(map.ranges);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_limit),
};

RUN_TESTS(tests)
