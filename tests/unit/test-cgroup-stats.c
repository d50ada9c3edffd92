/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "codec/cgroup-stats.h"

static const struct cgroup_stat_source *source_of(bool v2, enum machine_stat stat) {
        for (const struct cgroup_stat_source *s = cgroup_stat_sources(v2); s->file; s++)
                if (s->stat == stat)
                        return s;
        fail_msg("no source of %s", machine_stat_to_string(stat));
        return NULL;
}

static void test_files(void **state) {
        static const struct {
                bool v2;
                enum machine_stat stat;
                const char *text;
                int64_t expected; /* or negative errno */
        } cases[] = {
                { true, STAT_CPU_USAGE, "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n", 1234 },
                { true, STAT_CPU_SYSTEM, "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n", 234 },
                { true, STAT_CPU_THROTTLED, "usage_usec 1234\nnr_throttled 5\n", -ENODATA },
                { true, STAT_CPU_USER, "xuser_usec 1\nuser_usecx 2\nuser_usec 3\n", 3 },
                { true, STAT_CPU_USER, "a user_usec 1\n", -ENODATA },
                { true, STAT_MEMORY_CURRENT, "4096\n", 4096 },
                { true, STAT_MEMORY_MAX, "max\n", -ENODATA },
                { true, STAT_MEMORY_MAX, "9223372036854771712\n", -ENODATA },
                { true, STAT_MEMORY_MAX, "1048576\n", 1048576 },
                { true, STAT_TASKS_CURRENT, "", -ENODATA },
                { true, STAT_TASKS_CURRENT, "5x\n", -ENODATA },
                { true, STAT_TASKS_CURRENT, "-5\n", -ENODATA },
                { true, STAT_TASKS_CURRENT, "99999999999999999999\n", -ENODATA },
                { true, STAT_IO_READ_BYTES, "", 0 },
                { true, STAT_IO_READ_BYTES,
                  "8:0 rbytes=5 wbytes=7 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=10 wbytes=1\n", 15 },
                { true, STAT_IO_WRITE_OPERATIONS, "8:0 rbytes=5 wbytes=7 rios=1 wios=2\n8:16 rbytes=10 wbytes=1\n", 2 },
                { true, STAT_IO_WRITE_BYTES, "8:0 wbytes=x\n", -ENODATA },
                { true, STAT_IO_WRITE_BYTES, "8:0 wbytes=18446744073709551615\n8:1 wbytes=1\n", -ENODATA },
                { false, STAT_CPU_USAGE, "1234567\n", 1234 },
                { false, STAT_CPU_THROTTLED, "nr_periods 0\nnr_throttled 0\nthrottled_time 5000\n", 5 },
                { false, STAT_MEMORY_MAX, "9223372036854771712\n", -ENODATA },
                { false, STAT_IO_READ_BYTES, "8:0 Read 5\n8:0 Write 6\n8:0 Total 11\n8:16 Read 7\nTotal 18\n", 12 },
                { false, STAT_IO_WRITE_OPERATIONS, "Total 0\n", 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t value = 0;
                int r = cgroup_stat_decode(source_of(cases[i].v2, cases[i].stat), cases[i].text, &value);

                if (cases[i].expected < 0 ? r != cases[i].expected : r != 0 || value != (uint64_t) cases[i].expected)
                        fail_msg("%zu: %d, %llu", i, r, (unsigned long long) value);
        }
}

/* Sources of one file stand together, so that it is read once; every number has a name, and the other way round. */
static void test_tables(void **state) {
        for (int v2 = 0; v2 <= 1; v2++)
                for (const struct cgroup_stat_source *s = cgroup_stat_sources(v2); s->file; s++)
                        for (const struct cgroup_stat_source *t = s + 1; t->file; t++)
                                assert_true(t->stat != s->stat &&
                                            (!streq(t->file, s->file) || streq(t[-1].file, s->file)));
        for (int i = 0; i < _MACHINE_STAT_MAX; i++) {
                assert_non_null(machine_stat_to_string((enum machine_stat) i));
                assert_int_equal(machine_stat_from_string(machine_stat_to_string((enum machine_stat) i)), i);
        }
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_files), cmocka_unit_test(test_tables) };

RUN_TESTS(tests)
