/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recorded and broken texts of /proc/PID/stat and /proc/PID/cgroup -> numbers and paths. */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "codec/proc-text.h"

#define TAIL " 7 7 0 -1 4194560 129 0 0 0 0 1 0 0 20 0 1 0 "

static const struct {
        const char *what, *text;
        int result;
        pid_t parent;
        uint64_t start;
} stats[] = {
        { "sleep", "4711 (sleep) S 4242" TAIL "883211 5660672 224 18446744073709551615 1 1 0\n", 0, 4242, 883211 },
        { "parent 0", "1 (init) S 0" TAIL "3 0\n", 0, 0, 3 },
        { "blanks in the name", "5 (a b c) R 9" TAIL "12 0\n", 0, 9, 12 },
        { "parentheses in the name", "5 (a) S 7 (b) R 9" TAIL "12 0\n", 0, 9, 12 },
        { "a name that looks like the rest", "5 () S 1 2 3 4) R 9" TAIL "12 0\n", 0, 9, 12 },
        { "a newline in the name", "5 (a\nb) R 9" TAIL "12 0\n", 0, 9, 12 },
        { "the largest start", "5 (a) R 9" TAIL "18446744073709551615", 0, 9, UINT64_MAX },
        { "nothing behind the start", "5 (a) R 9" TAIL "12", 0, 9, 12 },
        { "empty", "", -EBADMSG, 0, 0 },
        { "no name", "5 a R 9" TAIL "12 0\n", -EBADMSG, 0, 0 },
        { "cut behind the name", "5 (a)", -EBADMSG, 0, 0 },
        { "cut before the parent", "5 (a) R ", -EBADMSG, 0, 0 },
        { "cut before the start", "5 (a) R 9" TAIL, -EBADMSG, 0, 0 },
        { "cut in the middle", "5 (a) R 9 1 7 7 0", -EBADMSG, 0, 0 },
        { "a negative parent", "5 (a) R -9" TAIL "12 0\n", -EBADMSG, 0, 0 },
        { "a parent that is no pid", "5 (a) R 2147483648" TAIL "12 0\n", -EBADMSG, 0, 0 },
        { "a start that does not fit", "5 (a) R 9" TAIL "18446744073709551616 0\n", -EBADMSG, 0, 0 },
        { "a start that is no number", "5 (a) R 9" TAIL "x 0\n", -EBADMSG, 0, 0 },
};

/* A copy on the heap of exactly the size, so that the address sanitizer sees a read past the end. */
static char *exact_copy(const char *text, size_t size) {
        char *copy = malloc(size ? size : 1);

        assert_non_null(copy);
        return memcpy(copy, text, size);
}

static void test_stat(void **state) {
        for (size_t i = 0; i < ELEMENTS(stats); i++) {
                size_t size = strlen(stats[i].text);
                AUTO_FREE char *text = exact_copy(stats[i].text, size);
                uint64_t start = 77;
                pid_t parent = 77;
                int r = proc_stat_decode(text, size, &parent, &start);

                if (r != stats[i].result)
                        fail_msg("%s: %d", stats[i].what, r);
                if (parent != (r < 0 ? 77 : stats[i].parent) || start != (r < 0 ? 77 : stats[i].start))
                        fail_msg("%s: parent %d, start %" PRIu64, stats[i].what, (int) parent, start);
        }
}

#define V2 "0::/machine.slice/machine-a.scope\n"
#define HYBRID "12:cpu,cpuacct:/x\n11:memory:/machine.slice/m\n1:name=systemd:/machine.slice/s.scope\n" V2

static const struct {
        const char *what, *text, *controller;
        int result;
        const char *path;
} cgroups[] = {
        { "v2", V2, "", 0, "/machine.slice/machine-a.scope" },
        { "the root", "0::/\n", "", 0, "/" },
        { "no newline", "0::/a", "", 0, "/a" },
        { "the v2 line of a hybrid", HYBRID, "", 0, "/machine.slice/machine-a.scope" },
        { "a named hierarchy", HYBRID, "name=systemd", 0, "/machine.slice/s.scope" },
        { "a controller", HYBRID, "memory", 0, "/machine.slice/m" },
        { "first of several", HYBRID, "cpu", 0, "/x" },
        { "last of several", HYBRID, "cpuacct", 0, "/x" },
        { "half a name", HYBRID, "cpuac", -ENODATA, NULL },
        { "too much of a name", HYBRID, "memoryx", -ENODATA, NULL },
        { "not there", V2, "memory", -ENODATA, NULL },
        { "no v2", "11:memory:/m\n", "", -ENODATA, NULL },
        { "empty", "", "", -ENODATA, NULL },
        { "removed under the process", "0::/a/b (deleted)\n", "", 0, "/a/b" },
        { "only named so", "0::/a (deleted)b\n", "", 0, "/a (deleted)b" },
        { "colons in the path", "0::/a:b:c\n", "", 0, "/a:b:c" },
        { "outside of our root", "0::/../x\n", "", -EREMOTE, NULL },
        { "right above our root", "0::/..\n", "", -EREMOTE, NULL },
        { "dots that are a name", "0::/..x\n", "", 0, "/..x" },
        { "escaped newline stays", "0::/a\\012b\n", "", 0, "/a\\012b" },
        { "no colon", "0\n", "", -EBADMSG, NULL },
        { "one colon", "0:\n", "", -EBADMSG, NULL },
        { "no path", "0::\n", "", -EBADMSG, NULL },
        { "no absolute path", "0::a\n", "", -EBADMSG, NULL },
        { "an empty line", "\n0::/a\n", "", -EBADMSG, NULL },
};

static void test_cgroup(void **state) {
        for (size_t i = 0; i < ELEMENTS(cgroups); i++) {
                size_t size = strlen(cgroups[i].text);
                AUTO_FREE char *text = exact_copy(cgroups[i].text, size), *path = NULL;
                int r = proc_cgroup_decode(text, size, cgroups[i].controller, &path);

                if (r != cgroups[i].result || !streq_ptr(path, cgroups[i].path))
                        fail_msg("%s: %d %s", cgroups[i].what, r, strempty(path));
        }
}

static void test_cgroup_nul(void **state) {
        char *path = NULL;

        assert_int_equal(proc_cgroup_decode("0::/a\0b\n", 8, "", &path), -EBADMSG);
        assert_null(path);
}

static void test_status(void **state) {
        static const char good[] = "Name:\tx\\nCapBnd:\t0\nUid:\t0\t0\t0\t0\nCapBnd:\t000001ffffffffff\n"
                                   "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        static const char unfiltered[] = "Name:\tx\nCapBnd:\t0000000000000001\nNoNewPrivs:\t0\nSeccomp:\t0\n";
        static const char old[] = "Name:\tx\nCapBnd:\t1\nNoNewPrivs:\t0\n";
        static const char *const bad[] = { "", "Name:\tx\nNoNewPrivs:\t0\n", "Name:\tx\nCapBnd:\t1\n",
                                           "Name:\tx\nCapBnd:\tz\nNoNewPrivs:\t0\n",
                                           "Name:\tx\nCapBnd:\t00000000000000001\nNoNewPrivs:\t\n" };
        struct proc_confinement c;

        assert_int_equal(proc_status_decode(good, strlen(good), &c), 0);
        assert_int_equal(c.bounding, UINT64_C(0x1ffffffffff));
        assert_true(c.no_new_privileges && c.filtered);
        assert_int_equal(proc_status_decode(unfiltered, strlen(unfiltered), &c), 0);
        assert_int_equal(c.bounding, 1);
        assert_false(c.no_new_privileges || c.filtered);
        assert_int_equal(proc_status_decode(old, strlen(old), &c), 0);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                if (proc_status_decode(bad[i], strlen(bad[i]), &c) != -EBADMSG)
                        fail_msg("'%s'", bad[i]);
}

static void test_hears(void **state) {
        static const char text[] =
                "Name:\tx\nSigPnd:\tffffffffffffffff\nSigBlk:\t0000001000000000\nSigIgn:\t00000000000000ff\n"
                "SigCgt:\t8000000000004000\n";
        static const char *const bad[] = { "", "Name:\tx\nSigBlk:\t0\n", "Name:\tx\nSigCgt:\t0\n",
                                           "Name:\tx\nSigBlk:\tx\nSigCgt:\t0\n" };

        for (int sig = 1; sig <= 64; sig++)
                assert_int_equal(proc_status_hears(text, strlen(text), sig), sig == 37 || sig == 15 || sig == 64);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(proc_status_hears(bad[i], strlen(bad[i]), 15), -EBADMSG);
}

static void test_syscall(void **state) {
        static const struct {
                const char *text;
                int result;
                uint64_t number, argument;
        } cases[] = {
                { "128 0x7ffd 0x0 0x0 0x8 0x0 0x0 0x7ffd 0x7f12\n", 0, 128, 0x7ffd },
                { "0 0xffffffffffffffff\n", 0, 0, UINT64_MAX },
                { "running\n", -EAGAIN, 0, 0 },
                { "-1 0x7ffd 0x7f12\n", -EAGAIN, 0, 0 },
                { "", -EBADMSG, 0, 0 },
                { "run", -EBADMSG, 0, 0 },
                { "12", -EBADMSG, 0, 0 },
                { "x 0x0\n", -EBADMSG, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                size_t size = strlen(cases[i].text);
                AUTO_FREE char *text = exact_copy(cases[i].text, size);
                uint64_t number = 0, argument = 0;

                assert_int_equal(proc_syscall_decode(text, size, &number, &argument), cases[i].result);
                assert_int_equal(number, cases[i].number);
                assert_int_equal(argument, cases[i].argument);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stat),   cmocka_unit_test(test_cgroup), cmocka_unit_test(test_cgroup_nul),
        cmocka_unit_test(test_status), cmocka_unit_test(test_hears),  cmocka_unit_test(test_syscall),
};

RUN_TESTS(tests)
