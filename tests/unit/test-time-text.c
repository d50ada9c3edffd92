/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times as people write them, in a time zone with summer time. */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "muster/time-text.h"

#define NOW UINT64_C(1795687200) /* 2026-11-26 10:00:00 UTC, 11:00 in Berlin */

static int in_berlin(void **state) {
        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        tzset();
        return 0;
}

static void test_times(void **state) {
        static const struct {
                const char *text;
                uint64_t seconds;
        } cases[] = {
                { "now", NOW },
                { "today", NOW - 11 * 3600 },
                { "yesterday", NOW - 35 * 3600 },
                { "@0", 0 },
                { "@1795687200", NOW },
                { "-1h", NOW - 3600 },
                { "-90", NOW - 90 },
                { "-2d", NOW - 2 * 86400 },
                { "-1000000000000", 0 },
                { "2026-11-26", NOW - 11 * 3600 },
                { "2026-11-26 11:00", NOW },
                { "2026-11-26T11:00:07", NOW + 7 },
                { "2026-11-26 10:00Z", NOW },
                { "2026-11-26T10:00:00Z", NOW },
                { "2026-07-01 12:00", UINT64_C(1782900000) }, /* summer */
                { "2026-03-29 02:30", UINT64_C(1774747800) }, /* left out: half an hour after 2 is half past 3 */
                { "11:00", NOW },
                { "00:00:01", NOW - 11 * 3600 + 1 },
                { "2024-02-29 00:00Z", UINT64_C(1709164800) },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t usec = 1;

                if (time_text_parse(cases[i].text, NOW * 1000000, &usec) < 0 || usec != cases[i].seconds * 1000000)
                        fail_msg("%s: %" PRIu64, cases[i].text, usec);
        }
}

static void test_refused(void **state) {
        static const char *const wrong[] = {
                "",
                "tomorrow",
                "Today",
                "-",
                "-x",
                "-1y",
                "--1h",
                "@",
                "@-1",
                "@1.5",
                "@253402300800",
                "@99999999999999999999",
                "2026",
                "2026-11",
                "2026-11-",
                "2026-1-26",
                "2026-13-01",
                "2026-00-10",
                "2026-02-30",
                "2025-02-29",
                "2026-11-32",
                "1969-12-31",
                "10000-01-01",
                "2026-11-26 ",
                "2026-11-26T",
                "2026-11-26x",
                "2026-11-26 11",
                "2026-11-26 24:00",
                "2026-11-26 11:60",
                "2026-11-26 11:00:60",
                "2026-11-26 11:00:",
                "11:00Z",
                "2026-11-26  11:00",
                "2026-11-26 11:00 ",
                "1:00",
                "11:0",
                "11:00:00:00",
                "1h",
                "1970-01-01",
        };
        uint64_t usec = 42;

        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                if (time_text_parse(wrong[i], NOW * 1000000, &usec) != -EINVAL || usec != 42)
                        fail_msg("%s: %" PRIu64, wrong[i], usec);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_times, in_berlin),
        cmocka_unit_test_setup(test_refused, in_berlin),
};

RUN_TESTS(tests)
