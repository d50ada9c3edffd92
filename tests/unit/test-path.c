/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths in a hostile tree: nothing leads out of it, and only regular files are opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/path.h"

static char tree[] = "/tmp/muster-test-path-XXXXXX";
static int root = -EBADF;

static const struct {
        const char *link, *target;
} links[] = {
        { "up", "../../../../../etc/passwd" },
        { "absolute", "/file" },
        { "outside", "/etc/passwd" },
        { "loop", "loop" },
        { "magic", "proc/self" },
        { "dangling", "nothing" },
};

static int set_up(void **state) {
        int fd;

        if (!mkdtemp(tree))
                return -1;
        root = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = openat(root, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, "inside", 6) != 6)
                return -1;
        close(fd);
        for (size_t i = 0; i < ELEMENTS(links); i++)
                if (symlinkat(links[i].target, root, links[i].link) < 0)
                        return -1;
        return mkfifoat(root, "fifo", 0600) < 0 || mkdirat(root, "dir", 0700) < 0 ? -1 : 0;
}

static int tear_down(void **state) {
        for (size_t i = 0; i < ELEMENTS(links); i++)
                unlinkat(root, links[i].link, 0);
        unlinkat(root, "file", 0);
        unlinkat(root, "fifo", 0);
        unlinkat(root, "dir", AT_REMOVEDIR);
        close(root);
        return rmdir(tree);
}

static void test_regular(void **state) {
        static const struct {
                const char *path;
                int result; /* 0: opened, and it is our file */
        } cases[] = {
                { "file", 0 },       { "/file", 0 },         { "dir/../../../file", 0 }, { "absolute", 0 },
                { "up", -ENOENT },   { "outside", -ENOENT }, { "dangling", -ENOENT },    { "loop", -ELOOP },
                { "fifo", -EINVAL }, { "dir", -EINVAL },     { ".", -EINVAL },           { "file/x", -ENOTDIR },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int fd = open_regular_in_root(root, cases[i].path);
                char text[8] = "";

                if (cases[i].result == 0) {
                        assert_true(fd >= 0);
                        assert_int_equal(read(fd, text, sizeof(text)), 6);
                        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
                        close(fd);
                } else if (fd != cases[i].result) {
                        fail_msg("%s: %d", cases[i].path, fd);
                }
        }
}

/* A real procfs below the root: its links into other processes, and its files, are out of bounds. */
static void test_procfs(void **state) {
        AUTO_CLOSE int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char path[64];

        snprintf(path, sizeof(path), "proc/self/root/etc/passwd");
        assert_int_equal(open_regular_in_root(slash, path), -ELOOP);
        assert_int_equal(open_regular_in_root(slash, "proc/version"), -EINVAL);
        assert_int_equal(open_regular_in_root(slash, "dev/null"), -EINVAL);
}

static void test_open_dir(void **state) {
        AUTO_CLOSE int fd = open_in_root(root, "dir", O_RDONLY | O_DIRECTORY);

        assert_true(fd >= 0);
        assert_int_equal(open_in_root(root, "file", O_RDONLY | O_DIRECTORY), -ENOTDIR);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_regular),
                cmocka_unit_test(test_procfs),
                cmocka_unit_test(test_open_dir),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
