/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recorded mountinfo and cgroup texts of different hosts -> what we make of them. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/cgroup-layout.h"

#define SYS "24 1 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
#define TMPFS "31 24 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,size=4096k,mode=755\n"
#define OLD(id, name)                                                                               \
#id " 31 0:4" #id " / /sys/fs/cgroup/" name " rw,nosuid,nodev,noexec,relatime shared:1" #id \
            " - cgroup cgroup rw," name "\n"

static const struct {
        const char *what, *mountinfo, *pid1, *expected;
} cases[] = {
        { "Debian 12 with systemd",
          SYS "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 "
              "rw,nsdelegate,memory_recursiveprot\n",
          "0::/init.scope\n", "v2 /sys/fs/cgroup|||rw" },
        { "hybrid, cgroup2 without controllers",
          "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n" OLD(32, "cpu") OLD(33, "memory") OLD(
                  34, "pids")
                  OLD(35, "freezer") "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
                                     "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
          "9:name=systemd:/\n8:pids:/\n1:cpu:/\n0::/\n",
          "hybrid /sys/fs/cgroup/unified|||rw memory=/sys/fs/cgroup/memory|||rw pids=/sys/fs/cgroup/pids|||rw "
          "cpu=/sys/fs/cgroup/cpu|||rw freezer=/sys/fs/cgroup/freezer|||rw name=systemd=/sys/fs/cgroup/systemd|||rw" },
        { "v1 of Debian 9, controllers together",
          SYS TMPFS "32 31 0:28 / /sys/fs/cgroup/systemd rw,nosuid shared:10 - cgroup cgroup "
                    "rw,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd\n"
                    "34 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
                    "35 31 0:31 / /sys/fs/cgroup/net_cls,net_prio rw shared:12 - cgroup cgroup rw,net_cls,net_prio\n",
          "3:cpu,cpuacct:/\n1:name=systemd:/init.scope\n",
          "v1 /sys/fs/cgroup/systemd|||rw cpu=/sys/fs/cgroup/cpu,cpuacct|||rw "
          "cpuacct=/sys/fs/cgroup/cpu,cpuacct|||rw" },
        { "hybrid with cgroup2 at systemd (systemd 232)",
          SYS TMPFS "32 31 0:28 / /sys/fs/cgroup/systemd rw shared:10 - cgroup2 cgroup rw\n" OLD(33, "memory"),
          "0::/init.scope\n", "hybrid /sys/fs/cgroup/systemd|||rw memory=/sys/fs/cgroup/memory|||rw" },
        { "docker with a cgroup namespace, read-only",
          "800 700 0:55 / /sys ro,nosuid - sysfs sysfs ro\n"
          "801 800 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n",
          "0::/\n", "v2 /sys/fs/cgroup|||ro" },
        { "docker without one: its part is mounted",
          "800 700 0:55 / /sys ro,nosuid - sysfs sysfs ro\n"
          "801 800 0:26 /docker/4f /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw,nsdelegate\n",
          "0::/docker/4f/init.scope\n", "v2 /sys/fs/cgroup|/docker/4f||rw" },
        { "PID 1 deeper than the mounted part", "801 800 0:26 /docker/4f /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
          "0::/docker/4f/a/b\n", "v2 /sys/fs/cgroup|/docker/4f/a/b|a/b|rw" },
        { "another part than that of PID 1 is mounted",
          "801 800 0:26 /docker/4f /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/\n", "v2 -||-|rw" },
        { "mounted outside of our cgroup namespace", "801 800 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
          "0::/\n", "v2 -||-|rw" },
        { "PID 1 is outside of our cgroup namespace", "801 800 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
          "0::/../..\n", "v2 /sys/fs/cgroup|||rw" },
        { "PID 1 unknown", "801 800 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "", "v2 /sys/fs/cgroup|||rw" },
        { "the later mount over the same point wins",
          SYS TMPFS OLD(32, "memory") "50 31 0:60 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n",
          "v2 /sys/fs/cgroup|||rw" },
        { "a tmpfs hides what is below",
          SYS TMPFS OLD(32, "memory") "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
                                      "50 31 0:60 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n",
          "0::/\n", "none -|-|-|rw" },
        { "a tmpfs on /sys hides all",
          SYS "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n50 24 0:60 / /sys rw - tmpfs tmpfs rw\n", "0::/\n",
          "none -|-|-|rw" },
        { "cgroup2 mounted on v1 mounts' cover again",
          SYS TMPFS OLD(32, "memory") "50 31 0:60 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                                      "51 50 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
          "0::/\n", "hybrid /sys/fs/cgroup/unified|||rw" },
        { "a blank in the name",
          SYS TMPFS "32 31 0:28 / /sys/fs/cgroup/my\\040own rw - cgroup cgroup rw,memory\n"
                    "33 31 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n",
          "1:name=systemd:/\n2:memory:/\n", "v1 /sys/fs/cgroup/systemd|||rw memory=/sys/fs/cgroup/my own|||rw" },
        { "elsewhere does not count", "32 31 0:28 / /mnt/cgroup rw - cgroup2 cgroup rw\n", "0::/\n", "none -|-|-|rw" },
        { "nothing", "", "", "none -|-|-|rw" },
        { "rubbish", "1\n\n 2 x y\n9 9 0:1 / /sys/fs/cgroup rw - \n8 8 0:1 / /sys/fs/cgroup\\09 rw - cgroup2 a rw\n",
          "::\n", "none -|-|-|rw" },
};

static void show(char *out, size_t size, const char *before, const struct cgroup_hierarchy *h) {
        size_t n = strlen(out);

        snprintf(out + n, size - n, "%s%s|%s|%s|%s", before, h->mount ? h->mount : "-", h->prefix ? h->prefix : "-",
                 h->below ? h->below : "-", h->read_only ? "ro" : "rw");
}

static void test_hosts(void **state) {
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct cgroup_layout l;
                char got[2048] = "";

                assert_int_equal(cgroup_layout_decode(cases[i].mountinfo, strlen(cases[i].mountinfo), cases[i].pid1,
                                                      strlen(cases[i].pid1), &l),
                                 0);
                snprintf(got, sizeof(got), "%s", cgroup_mode_to_string(l.mode));
                show(got, sizeof(got), " ", &l.tracking);
                for (size_t c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                        if (l.v1[c].mount) {
                                char before[32];

                                snprintf(before, sizeof(before),
                                         " %s=", cgroup_controller_to_string((enum cgroup_controller) c));
                                show(got, sizeof(got), before, &l.v1[c]);
                        }
                if (strcmp(got, cases[i].expected) != 0)
                        fail_msg("%s: %s instead of %s", cases[i].what, got, cases[i].expected);
                cgroup_layout_done(&l);
        }
}

static void test_too_many(void **state) {
        static const char line[] = "32 31 0:28 / /sys/fs/cgroup/x rw - tmpfs x rw\n";
        char *text = malloc(600 * (sizeof(line) - 1) + 1);
        struct cgroup_layout l;

        assert_non_null(text);
        for (size_t i = 0; i < 600; i++)
                memcpy(text + i * (sizeof(line) - 1), line, sizeof(line));
        assert_int_equal(cgroup_layout_decode(text, strlen(text), "", 0, &l), -E2BIG);
        free(text);
}

static void test_tables(void **state) {
        for (int i = 0; i < _CGROUP_MODE_MAX; i++)
                assert_int_equal(cgroup_mode_from_string(cgroup_mode_to_string((enum cgroup_mode) i)), i);
        for (int i = 0; i < _CGROUP_CONTROLLER_MAX; i++)
                assert_int_equal(cgroup_controller_from_string(cgroup_controller_to_string((enum cgroup_controller) i)),
                                 i);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_tables),
};
RUN_TESTS(tests)
