/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stub as PID 1 of real PID namespaces: how it ends, whom it reaps, what it shows of us. */
#include "namespaced.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/str.h"
#include "muster-spawn/stub-init.h"

#define ISOLATED (CLONE_NEWUSER | CLONE_NEWPID)
#define SHOWN "container=muster\0container_uuid=00112233445566778899aabbccddeeff"
#define PATIENCE_MSEC 10000

typedef void (*payload_fn)(int ready);

static void nap(void) {
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

struct payload {
        payload_fn run;
        int ready;
};

static void run_payload(void *userdata) {
        const struct payload *p = userdata;

        p->run(p->ready);
        _exit(99);
}

static void start_stub(payload_fn payload, int ready) {
        struct payload p = { payload, ready };
        sigset_t none;

        sigemptyset(&none);
        stub_init(&(struct stub){ .mask = &none,
                                  .environment = SHOWN,
                                  .size = sizeof(SHOWN),
                                  .program = -EBADF,
                                  .payload = run_payload,
                                  .data = &p });
}

/* Starts the stub with a payload that must not return; it closes `ready`, or writes to it, when it can be looked at. */
static pid_t start(payload_fn payload, int *ret_ready) {
        int ready[2];
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork_into(ISOLATED, NULL);
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
                start_stub(payload, ready[1]);
                _exit(99);
        }
        close(ready[1]);
        *ret_ready = ready[0];
        return pid;
}

/* As waitpid(2) tells; fails when it takes too long. */
static int end_of(pid_t pid) {
        int status;

        for (int i = 0; i < PATIENCE_MSEC / 5; i++) {
                if (waitpid(pid, &status, WNOHANG) == pid)
                        return status;
                nap();
        }
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        fail_msg("it did not end");
        return -1;
}

static void wait_ready(int fd) {
        char byte;

        (void) !read(fd, &byte, 1);
        close(fd);
}

static void exit_7(int ready) {
        _exit(7);
}

static void exit_0(int ready) {
        _exit(0);
}

static void segfault(int ready) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
}

static void killed(int ready) {
        raise(SIGKILL);
}

static void wait_forever(int ready) {
        close(ready);
        for (;;)
                pause();
}

static void test_payload_ends(void **state) {
        static const struct {
                payload_fn payload;
                int status;
        } cases[] = { { exit_0, 0 }, { exit_7, 7 }, { segfault, 255 }, { killed, 255 } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int ready, status;

                status = end_of(start(cases[i].payload, &ready));
                close(ready);
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), cases[i].status);
        }
}

/* Only the kernel ends PID 1 of a namespace with these two, on reboot(2). */
static void test_asked_to_end(void **state) {
        const struct {
                int sig, ends_by;
        } cases[] = {
                { SIGRTMIN + 3, SIGINT },  { SIGRTMIN + 4, SIGINT },  { SIGRTMIN + 13, SIGINT },
                { SIGRTMIN + 14, SIGINT }, { SIGINT, SIGHUP },        { SIGRTMIN + 5, SIGHUP },
                { SIGRTMIN + 6, SIGHUP },  { SIGRTMIN + 15, SIGHUP }, { SIGRTMIN + 16, SIGHUP },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int ready, status;
                pid_t pid = start(wait_forever, &ready);

                wait_ready(ready);
                kill(pid, cases[i].sig);
                status = end_of(pid);
                if (!WIFSIGNALED(status) || WTERMSIG(status) != cases[i].ends_by)
                        fail_msg("signal %d: status %x", cases[i].sig, (unsigned) status);
        }
}

/* Ends with 0 when it got the three signals in the order that ends a stopped shell, too. */
static void expect_goodbye(int ready) {
        static const int expected[] = { SIGTERM, SIGCONT, SIGHUP };
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        close(ready);
        for (size_t i = 0; i < ELEMENTS(expected); i++) {
                sigset_t one;
                int got;

                sigemptyset(&one);
                sigaddset(&one, expected[i]);
                if (sigwait(&one, &got) != 0)
                        _exit(50);
        }
        _exit(0);
}

static void test_goodbye(void **state) {
        int ready, status;
        pid_t pid = start(expect_goodbye, &ready);

        wait_ready(ready);
        kill(pid, SIGRTMIN + 4);
        status = end_of(pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGINT);
}

static int held[2]; /* a pipe: the payload goes on when its second end is closed */

/* The last wish counts: told to power off, then to reboot, while the payload takes its time. */
static void take_a_while(int ready) {
        char byte;

        signal(SIGTERM, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        close(held[1]);
        close(ready);
        (void) !read(held[0], &byte, 1);
        _exit(3);
}

static void test_last_wish(void **state) {
        int ready, status;
        pid_t pid;

        assert_int_equal(pipe2(held, O_CLOEXEC), 0);
        pid = start(take_a_while, &ready);
        wait_ready(ready);
        kill(pid, SIGRTMIN + 4);
        wait_heard(pid);
        kill(pid, SIGRTMIN + 5);
        wait_heard(pid);
        close(held[0]);
        close(held[1]);
        status = end_of(pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGHUP);
}

static void test_other_signals(void **state) {
        static const int ignored[] = {
                SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGQUIT, SIGTSTP, SIGWINCH
        };
        int ready, status;
        pid_t pid = start(wait_forever, &ready);

        wait_ready(ready);
        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                kill(pid, ignored[i]);
        kill(pid, SIGRTMIN + 7);
        usleep(50000);
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
        kill(pid, SIGKILL);
        (void) end_of(pid);
}

/* An orphan, its father dead: only PID 1 can take it away. 0 when it does. */
static void leave_orphans(int ready) {
        int tell[2];
        pid_t orphan = 0;

        if (pipe(tell) < 0)
                _exit(50);
        if (fork() == 0) {
                pid_t child = fork();

                if (child == 0)
                        _exit(1);
                (void) !write(tell[1], &child, sizeof(child));
                _exit(0);
        }
        if (read(tell[0], &orphan, sizeof(orphan)) != (ssize_t) sizeof(orphan) || wait(NULL) < 0)
                _exit(51);
        for (int i = 0; i < 1000; i++) {
                if (kill(orphan, 0) < 0 && errno == ESRCH)
                        _exit(0);
                nap();
        }
        _exit(52);
}

static void test_reaps(void **state) {
        int ready, status = end_of(start(leave_orphans, &ready));

        close(ready);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void check_place(int ready) {
        sigset_t mask;

        sigprocmask(SIG_BLOCK, NULL, &mask);
        for (int sig = 1; sig <= SIGRTMAX; sig++)
                if (sigismember(&mask, sig) == 1)
                        _exit(50);
        _exit(getpid() == 2 && getppid() == 1 && getsid(0) == 2 && getpgrp() == 2 ? 0 : 51);
}

static void test_place(void **state) {
        int ready, status = end_of(start(check_place, &ready));

        close(ready);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what it shows: this program again, with an environment made for it ---- */

static size_t slurp(pid_t pid, const char *name, char *buffer, size_t size) {
        char path[64];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        n = read(fd, buffer, size);
        assert_true(n >= 0 && (size_t) n < size);
        close(fd);
        buffer[n] = '\0';
        return (size_t) n;
}

static unsigned open_descriptors(pid_t pid) {
        unsigned n = 0;
        char path[64];
        DIR *d;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int) pid);
        d = opendir(path);
        assert_non_null(d);
        for (struct dirent *e = readdir(d); e; e = readdir(d))
                n += e->d_name[0] != '.';
        closedir(d);
        return n;
}

static int show_yourself(void) {
        /* In a user namespace, the descriptors of /proc belong to nobody there; looking is the parent's business. */
        start_stub(wait_forever, STDIN_FILENO);
        return 99;
}

static pid_t start_showing(char *const *environment, uint64_t namespaces) {
        int ready[2];
        pid_t pid;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork_into(namespaces, NULL);
        assert_true(pid >= 0);
        if (pid == 0) {
                char *argv[] = { (char *) "show", (char *) "--secret-argument", NULL };

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                dup2(ready[1], STDIN_FILENO);
                execve("/proc/self/exe", argv, environment);
                _exit(98);
        }
        close(ready[1]);
        wait_ready(ready[0]);
        return pid;
}

/* What is shown is the start of what was asked for, cut between two strings, and then nothing but NULs. */
static void assert_shown(const char *environ_text, size_t size, size_t room) {
        size_t expected = sizeof(SHOWN) <= room ? sizeof(SHOWN) : room >= sizeof("container=muster") ? 17 : 0;

        assert_true(size >= expected);
        assert_memory_equal(environ_text, SHOWN, expected);
        for (size_t i = expected; i < size; i++)
                assert_int_equal(environ_text[i], 0);
}

static void assert_hidden(char *const *environment, size_t room, uint64_t namespaces) {
        pid_t pid = start_showing(environment, namespaces);
        char text[8192];
        size_t size;

        size = slurp(pid, "environ", text, sizeof(text));
        assert_shown(text, size, room);
        size = slurp(pid, "cmdline", text, sizeof(text));
        assert_string_equal(text, "(muster-stub)");
        assert_null(memmem(text, size, "secret", 6));
        (void) slurp(pid, "comm", text, sizeof(text));
        assert_string_equal(text, "(muster-stub)\n");
        assert_int_equal(open_descriptors(pid), 0);
        kill(pid, SIGKILL);
        (void) end_of(pid);
}

static void test_shows(void **state) {
        char *large[] = { (char *) "SECRET_TOKEN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                          (char *) "PATH=/secret/bin", (char *) "HOME=/secret", NULL };
        char *middling[] = { (char *) "SECRET=0123456789abcdef", NULL };
        char *small[] = { (char *) "S=1", NULL };
        char *none[] = { NULL };

        /* Not allowed to move the window of /proc/PID/environ: what fits is shown. */
        assert_hidden(large, 1000, ISOLATED);
        assert_hidden(middling, sizeof("SECRET=0123456789abcdef"), ISOLATED);
        assert_hidden(small, sizeof("S=1"), ISOLATED);
        assert_hidden(none, 0, ISOLATED);
}

/* Allowed to, all is shown whatever there was before, and not a byte more. */
static void test_shows_privileged(void **state) {
        char *small[] = { (char *) "S=1", NULL };
        char text[8192];
        pid_t pid;

        if (prctl(PR_CAPBSET_READ, 24 /* CAP_SYS_RESOURCE */, 0, 0, 0) != 1 || geteuid() != 0) {
                print_message("# skipped: needs root with CAP_SYS_RESOURCE\n");
                return;
        }
        assert_hidden(small, 1000, CLONE_NEWPID);
        pid = start_showing(small, CLONE_NEWPID);
        assert_int_equal(slurp(pid, "environ", text, sizeof(text)), sizeof(SHOWN));
        kill(pid, SIGKILL);
        (void) end_of(pid);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_ends),
        cmocka_unit_test(test_asked_to_end),
        cmocka_unit_test(test_goodbye),
        cmocka_unit_test(test_last_wish),
        cmocka_unit_test(test_other_signals),
        cmocka_unit_test(test_reaps),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_shows),
        cmocka_unit_test(test_shows_privileged),
};

int main(int argc, char **argv) {
        if (argc > 0 && streq(argv[0], "show"))
                return show_yourself();
        if (!have_namespaces(ISOLATED))
                return 0;
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
