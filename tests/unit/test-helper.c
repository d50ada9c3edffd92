/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool with real processes: usage: test-helper MUSTER-HELPER. No root needed: it looks at the host and at
 * ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "backend/helper.h"
#include "base/auto.h"
#include "base/str.h"
#include "sys/pidfd.h"

static const char *program;

struct tally {
        int n, last_error, errors[200];
        bool has_id; /* of an os-release */
};

static void on_result(void *userdata, const struct inspect_result *result) {
        struct tally *t = userdata;

        t->errors[t->n++ % 200] = t->last_error = result->error;
        for (size_t i = 0; i < result->n_addresses; i++)
                assert_true(result->addresses[i].family == AF_INET || result->addresses[i].family == AF_INET6);
        for (char *const *s = result->os_release; s && *s; s++)
                t->has_id = t->has_id || startswith(*s, "ID=");
}

static void on_done(void *userdata, int error) {
        struct tally *t = userdata;

        t->errors[t->n++ % 200] = t->last_error = error;
}

/* One for all tests: a failing assert jumps past the rest of its test, and then end() still finds it. */
static struct fixture {
        sd_event *event;
        struct helper *helper;
        struct inspect_port port;
        struct machine host, self;
        struct tally tally;
        pid_t child;
} f;

static void begin(const char *path) {
        f = (struct fixture){ .host = { .class = MACHINE_HOST, .leader = PIDREF_EMPTY } };
        assert_int_equal(sd_event_new(&f.event), 0);
        assert_int_equal(helper_new(f.event, path, &f.helper), 0);
        f.port = helper_inspect_port(f.helper);
        assert_int_equal(pidref_open(getpid(), &f.self.leader), 0);
}

static void run_until(int n) {
        while (f.tally.n < n)
                assert_true(sd_event_run(f.event, 10000000) > 0); /* 10 s without anything: it hangs */
        assert_int_equal(f.tally.n, n);
}

static int end(void **state) {
        helper_free(f.helper);
        sd_event_unref(f.event);
        pidref_done(&f.self.leader);
        if (f.child > 0)
                kill(f.child, SIGKILL);
        while (waitpid(-1, NULL, 0) > 0)
                ;
        f = (struct fixture){ .child = 0 };
        return 0;
}

static void test_host(void **state) {
        begin(program);
        f.port.addresses(f.port.impl, &f.host, on_result, &f.tally);
        f.port.os_release(f.port.impl, &f.host, on_result, &f.tally);
        run_until(2);
        assert_int_equal(f.tally.errors[0], 0);
        assert_true(f.tally.errors[1] == 0 || f.tally.errors[1] == -ENOENT);
        assert_true(f.tally.has_id || f.tally.errors[1] == -ENOENT);
}

static void test_shared_network(void **state) {
        begin(program);
        f.port.addresses(f.port.impl, &f.self, on_result, &f.tally);
        run_until(1);
        /* -EACCES: a container took from us what it takes to look at ourselves */
        assert_true(f.tally.last_error == -EHOSTUNREACH || f.tally.last_error == -EACCES);
}

/* One question, two answers, each with its own error. */
static void test_both(void **state) {
        begin(program);
        f.port.addresses_and_os_release(f.port.impl, &f.host, on_result, on_result, &f.tally);
        run_until(2);
        assert_int_equal(f.tally.errors[0], 0);
        assert_true(f.tally.has_id || f.tally.errors[1] == -ENOENT);
        f.port.addresses_and_os_release(f.port.impl, &f.self, on_result, on_result, &f.tally);
        run_until(4);
        assert_true(f.tally.errors[2] == -EHOSTUNREACH || f.tally.errors[2] == -EACCES);
        assert_int_equal(f.tally.errors[3], f.tally.errors[2] == -EACCES ? -EACCES : f.tally.errors[1]);
        pidref_done(&f.self.leader);
        f.self.leader.id++;
        f.self.leader.start++;
        f.port.addresses_and_os_release(f.port.impl, &f.self, on_result, on_result, &f.tally);
        run_until(6);
        assert_int_equal(f.tally.errors[4], -ESRCH);
        assert_int_equal(f.tally.errors[5], -ESRCH);
}

static void test_many(void **state) {
        begin(program);
        for (int i = 0; i < 1000; i++)
                f.port.os_release(f.port.impl, i % 2 ? &f.host : &f.self, on_result, &f.tally);
        run_until(1000);
}

/* A recycled number: the identity does not match, nobody is looked at and nobody is signalled. */
static void test_wrong_identity(void **state) {
        begin(program);
        pidref_done(&f.self.leader);
        f.self.leader.id++;
        f.self.leader.start++;
        f.port.os_release(f.port.impl, &f.self, on_result, &f.tally);
        helper_kill_tree(f.helper, &f.self, SIGKILL, on_done, &f.tally);
        run_until(2);
        assert_int_equal(f.tally.errors[0], -ESRCH);
        assert_int_equal(f.tally.errors[1], -ESRCH);
}

static void test_kill(void **state) {
        struct machine m = { .leader = PIDREF_EMPTY };
        int status;

        begin(program);
        f.child = fork();
        if (f.child == 0) {
                if (fork() >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) >= 0)
                        for (;;)
                                pause();
                _exit(1);
        }
        assert_int_equal(pidref_open(f.child, &m.leader), 0);
        helper_kill_tree(f.helper, &f.self, SIGKILL, on_done, &f.tally); /* an ancestor of the helper */
        helper_kill_tree(f.helper, &f.host, SIGKILL, on_done, &f.tally);
        helper_kill_tree(f.helper, &m, SIGKILL, on_done, &f.tally);
        run_until(3);
        assert_int_equal(waitpid(f.child, &status, 0), f.child);
        f.child = 0;
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(f.tally.errors[0], -EPERM); /* the host's comes at once */
        assert_int_equal(f.tally.errors[1], -EPERM);
        assert_int_equal(f.tally.errors[2], 0);
        pidref_done(&m.leader);
}

/* Programs that are no helper: every question is answered, none twice. */
static void test_bad_programs(void **state) {
        static const char *const paths[] = { "/nonexistent/muster-helper", "/bin/true", "/bin/cat", "/" };

        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                begin(paths[i]);
                for (int n = 0; n < 100; n++)
                        f.port.addresses(f.port.impl, &f.host, on_result, &f.tally);
                run_until(100);
                for (int n = 0; n < 100; n++)
                        assert_int_equal(f.tally.errors[n], -EIO);
                end(NULL);
        }
}

static void test_free_answers(void **state) {
        begin(program);
        for (int n = 0; n < 200; n++)
                f.port.addresses(f.port.impl, &f.host, on_result, &f.tally);
        helper_free(STEAL(f.helper));
        assert_int_equal(f.tally.n, 200);
        assert_int_equal(f.tally.errors[199], -ECANCELED);
}

int main(int argc, char **argv) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_host, end),
                cmocka_unit_test_teardown(test_shared_network, end),
                cmocka_unit_test_teardown(test_both, end),
                cmocka_unit_test_teardown(test_many, end),
                cmocka_unit_test_teardown(test_wrong_identity, end),
                cmocka_unit_test_teardown(test_kill, end),
                cmocka_unit_test_teardown(test_bad_programs, end),
                cmocka_unit_test_teardown(test_free_answers, end),
        };

        if (argc != 2)
                return 99;
        program = argv[1];
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
