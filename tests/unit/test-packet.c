/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/packet.h: packets with and without a descriptor; sys/clone-beside.h: a process on a stack of its own. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/clone-beside.h"
#include "sys/packet.h"
#include "unit.h"

static void test_packets(void **state) {
        int pair[2], fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);
        char data[4];

        assert_true(null >= 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(packet_receive(pair[1], data, sizeof(data), &fd), -EAGAIN);
        assert_int_equal(packet_send(pair[0], "ab", 2, null), 0);
        assert_int_equal(packet_send(pair[0], "longer", 6, -EBADF), 0);
        assert_int_equal(packet_receive(pair[1], data, sizeof(data), &fd), 2);
        assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
        close(fd);
        assert_int_equal(packet_receive(pair[1], data, sizeof(data), &fd), 4);
        assert_memory_equal(data, "long", 4);
        assert_int_equal(fd, -EBADF);
        close(pair[0]);
        assert_int_equal(packet_receive(pair[1], data, sizeof(data), &fd), 0);
        assert_int_equal(packet_send(pair[1], "x", 1, -EBADF), -EPIPE);
        close(pair[1]);
        close(null);
}

static void leave(void *userdata) {
        _exit(strcmp(userdata, "here") == 0 ? 7 : 8);
}

static void test_beside(void **state) {
        static char stack[65536] __attribute__((aligned(16)));
        struct clone_args args = { .exit_signal = SIGCHLD }, wrong = { .flags = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND };
        char word[] = "here";
        int status = 0;
        pid_t pid = clone_beside(&args, stack, sizeof(stack), leave, word);

        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
        assert_int_equal(clone_beside(&wrong, stack, sizeof(stack), leave, word), -EINVAL);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_packets), cmocka_unit_test(test_beside) };
RUN_TESTS(tests)
