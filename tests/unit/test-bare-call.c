/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls without errno, beside those that have one; and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/bare-call.h"
#include "sys/fileio.h"
#include "sys/inode-info.h"

static void test_results(void **state) {
        char byte = 0;
        int ends[2];

        errno = EXDEV;
        assert_int_equal(BARE(pipe2, ends, O_CLOEXEC), 0);
        assert_int_equal(BARE(write, ends[1], "x", 1), 1);
        assert_int_equal(BARE(read, ends[0], &byte, 1), 1);
        assert_int_equal(byte, 'x');
        assert_int_equal(BARE(getpid), getpid());
        assert_int_equal(BARE(close, ends[0]), 0);
        assert_int_equal(BARE(close, ends[1]), 0);
        assert_int_equal(BARE(close, ends[1]), -EBADF);
        assert_int_equal(BARE(openat, AT_FDCWD, "/nowhere/at/all", O_RDONLY), -ENOENT);
#ifdef __x86_64__
        assert_int_equal(errno, EXDEV);
#endif
        errno = 0;
        assert_true(BARE_ADDRESS(brk, 0) > INT32_MAX);
}

static void test_inode_info(void **state) {
        struct inode_info info, again;
        struct stat st;
        int fd = open("/proc/self", O_PATH | O_CLOEXEC);

        assert_int_equal(inode_info(AT_FDCWD, "/proc", 0, &info), 0);
        assert_true(S_ISDIR(info.type) && info.mount_root);
        assert_int_equal(inode_info(fd, "", AT_EMPTY_PATH, &again), 0);
        assert_true(S_ISDIR(again.type) && !again.mount_root && again.mount_id == info.mount_id);
        assert_int_equal(inode_info(AT_FDCWD, "/proc/self", AT_SYMLINK_NOFOLLOW, &info), 0);
        assert_true(S_ISLNK(info.type));
        assert_int_equal(inode_info(fd, "stat", 0, &info), 0);
        assert_int_equal(fstatat(fd, "stat", &st, 0), 0);
        assert_int_equal(info.type, st.st_mode & S_IFMT);
        assert_int_equal(inode_info(fd, "nothing", 0, &info), -ENOENT);
        close(fd);
}

/* Files that are as large as the room for them, a little smaller, and a little larger. */
static void test_file_sizes(void **state) {
        static const size_t sizes[] = { 0, 1, 2047, 2048, 4094, 4095, 4096, 4097, 8191, 8192, 20000 };
        char path[] = "/tmp/test-bare-call-XXXXXX", text[4096];
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                AUTO_FREE char *written = malloc(sizes[i] + 1), *whole = NULL, *none = NULL;
                size_t size, shown = sizes[i] < sizeof(text) ? sizes[i] : sizeof(text) - 1;

                memset(written, 'a' + (int) i, sizes[i]);
                assert_int_equal(ftruncate(fd, 0), 0);
                assert_int_equal(pwrite(fd, written, sizes[i], 0), sizes[i]);
                assert_int_equal(read_file_at(AT_FDCWD, path, 20000, &whole, &size), 0);
                assert_int_equal(size, sizes[i]);
                assert_memory_equal(whole, written, size);
                assert_int_equal(whole[size], '\0');
                assert_int_equal(read_text_at(AT_FDCWD, path, text, sizeof(text)), 0);
                assert_int_equal(strlen(text), shown);
                assert_memory_equal(text, written, shown);
                if (sizes[i] > 0)
                        assert_int_equal(read_file_at(AT_FDCWD, path, sizes[i] - 1, &none, &size), -EFBIG);
        }
        close(fd);
        unlink(path);
        assert_int_equal(read_text_at(AT_FDCWD, path, text, sizeof(text)), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_results),
                cmocka_unit_test(test_inode_info),
                cmocka_unit_test(test_file_sizes),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
