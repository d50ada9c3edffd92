/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real processes: their identity by pidfd, how their deaths are told, and the files that say who they are. No root needed. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/process.h"
#include "base/str.h"
#include "sys/fileio.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

/* A child that waits to be killed. */
static pid_t start_child(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                for (;;)
                        pause();
        }
        return pid;
}

/* reap: false leaves a zombie. */
static void end_child(pid_t pid, bool reap) {
        siginfo_t info;

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED | (reap ? 0 : WNOWAIT)), 0);
}

/* ---- identity ---- */

static void test_open(void **state) {
        pid_t pid = start_child();
        struct pidref p, same, stranger;

        assert_int_equal(pidref_open(pid, &p), 0);
        assert_true(p.fd >= 0 && p.pid == pid && (p.id || p.start));
        assert_int_equal(fcntl(p.fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(pidref_from_fd(p.fd, &same), 0);
        assert_int_equal(pidref_open(getpid(), &stranger), 0);
        assert_true(pidref_same(&p, &same) && !pidref_same(&p, &stranger));
        assert_true(pidref_is_alive(&p));
        end_child(pid, false);
        assert_false(pidref_is_alive(&p)); /* a zombie */
        assert_int_equal(pidref_signal(&p, SIGTERM), -ESRCH);
        end_child(pid, true);
        assert_false(pidref_is_alive(&same));
        assert_int_equal(pidref_from_fd(p.fd, &stranger), -ESRCH);
        assert_int_equal(pidref_open(pid, &p), -ESRCH);
        pidref_done(&p);
        pidref_done(&p);
        pidref_done(&same);
        pidref_done(&stranger);
        pidref_done(NULL);
}

static void test_open_nothing(void **state) {
        static const pid_t pids[] = { 0, -1, -4711, INT32_MAX };
        struct pidref p;

        for (size_t i = 0; i < ELEMENTS(pids); i++)
                assert_int_equal(pidref_open(pids[i], &p), -ESRCH);
        assert_int_equal(pidref_from_fd(-EBADF, &p), -EBADF);
        assert_int_equal(pidref_from_fd(STDERR_FILENO, &p), -EINVAL);
}

static pthread_barrier_t barrier;

static void *thread_main(void *userdata) {
        *(pid_t *) userdata = (pid_t) syscall(SYS_gettid);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        return NULL;
}

/* A thread is no process, neither by number nor by its pidfd (Linux 6.9). */
static void test_thread(void **state) {
        pthread_t thread;
        struct pidref p;
        pid_t tid = 0;
        int fd;

        assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
        assert_int_equal(pthread_create(&thread, NULL, thread_main, &tid), 0);
        pthread_barrier_wait(&barrier);
        assert_int_equal(pidref_open(tid, &p), -ESRCH);
        fd = (int) syscall(SYS_pidfd_open, tid, O_EXCL);
        if (fd >= 0) {
                assert_int_equal(pidref_from_fd(fd, &p), -EINVAL);
                close(fd);
        }
        pthread_barrier_wait(&barrier);
        pthread_join(thread, NULL);
        pthread_barrier_destroy(&barrier);
}

static void test_reopen(void **state) {
        struct pidref now, p;

        assert_int_equal(pidref_open(getpid(), &now), 0);
        p = now;
        p.fd = -EBADF;
        assert_int_equal(pidref_reopen(&p), 0); /* the very same */
        assert_true(p.fd >= 0);
        pidref_done(&p);
        p.id = p.start = 0; /* a mere number */
        assert_int_equal(pidref_reopen(&p), -ESRCH);
        p.id = now.id + 1; /* recycled */
        assert_int_equal(pidref_reopen(&p), -ESRCH);
        p.id = 0;
        p.start = 1;
        assert_int_equal(pidref_reopen(&p), -ESRCH);
        assert_int_equal(p.fd, -EBADF);
        assert_int_equal(pidref_signal(&p, 0), -ESRCH);
        pidref_done(&now);
}

/* ---- the port ---- */

struct watched {
        struct process *process;
        struct process_port port;
        struct machine *machines[3];
        unsigned deaths;
};

/* Every death takes all other machines with it: their events must not come after that. */
static void on_exit_free_all(void *userdata, struct machine *m) {
        struct watched *w = userdata;

        w->deaths++;
        for (size_t i = 0; i < ELEMENTS(w->machines); i++) {
                w->port.unwatch(w->port.impl, w->machines[i]);
                machine_free(w->machines[i]);
                w->machines[i] = NULL;
        }
}

static void close_fd(int fd) {
        close(fd);
}

static void test_deaths(void **state) {
        sd_event *event = NULL;
        struct watched w = { .deaths = 0 };
        pid_t pids[3];

        machine_set_fd_closer(close_fd);
        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(process_new(event, on_exit_free_all, &w, &w.process), 0);
        w.port = process_port(w.process);
        for (size_t i = 0; i < ELEMENTS(pids); i++) {
                pids[i] = start_child();
                assert_int_equal(machine_new("m", &w.machines[i]), 0);
                assert_int_equal(w.port.watch(w.port.impl, w.machines[i]), -EBADF);
                assert_int_equal(w.port.open(w.port.impl, pids[i], -EBADF, &w.machines[i]->leader), 0);
                assert_int_equal(w.port.watch(w.port.impl, w.machines[i]), 0);
        }
        assert_int_equal(sd_event_run(event, 0), 0); /* nobody died */
        for (size_t i = 0; i < ELEMENTS(pids); i++)
                end_child(pids[i], false);
        assert_true(sd_event_run(event, 0) > 0);
        assert_int_equal(w.deaths, 1);
        assert_int_equal(sd_event_run(event, 0), 0);
        for (size_t i = 0; i < ELEMENTS(pids); i++)
                end_child(pids[i], true);
        process_free(w.process);
        sd_event_unref(event);
        machine_set_fd_closer(NULL);
}

static void test_port(void **state) {
        struct process_port port = process_port(NULL); /* these calls need no watch */
        struct pidref self, p;
        struct idmap map;
        pid_t child = start_child(), parent;

        assert_int_equal(port.open(port.impl, getpid(), -EBADF, &self), 0);
        assert_int_equal(port.open(port.impl, 0, self.fd, &p), 0); /* the number is not compared */
        assert_int_equal(p.pid, getpid());
        port.close(port.impl, &p);
        assert_int_equal(port.open(port.impl, child, self.fd, &p), -EINVAL); /* they disagree */
        assert_int_equal(port.open(port.impl, getpid(), STDERR_FILENO, &p), -EINVAL);
        assert_int_equal(port.open(port.impl, getpid(), 9999, &p), -EINVAL);
        assert_int_equal(port.parent(port.impl, child, &parent), 0);
        assert_int_equal(parent, getpid());
        assert_int_equal(port.belongs_to(port.impl, &self, geteuid()), 1);
        assert_int_equal(port.id_map(port.impl, &self, false, &map), 0);
        assert_true(map.n_ranges > 0);
        idmap_done(&map);
        assert_int_equal(port.open(port.impl, child, -EBADF, &p), 0);
        end_child(child, false);
        assert_int_equal(port.id_map(port.impl, &p, false, &map), -ESRCH); /* a zombie still shows its map */
        end_child(child, true);
        assert_int_equal(port.belongs_to(port.impl, &p, geteuid()), -ESRCH);
        assert_int_equal(port.id_map(port.impl, &p, true, &map), -ESRCH);
        assert_int_equal(port.parent(port.impl, child, &parent), -ESRCH);
        port.close(port.impl, &p);
        port.close(port.impl, &self);
}

/* ---- files of the kernel ---- */

static size_t count_text(const char *text, const char *what) {
        size_t n = 0;

        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

/* A short line, then one that has no room left behind it: the kernel gives them in two reads, the first of them short. All
 * lines must arrive. */
static void test_long_lines(void **state) {
        char path[4000] = "/tmp/test-long-XXXXXX", command[4096];
        size_t size = (size_t) sysconf(_SC_PAGESIZE), deep;
        AUTO_FREE char *text = NULL;
        void *maps[8];
        int fd;

        assert_non_null(mkdtemp(path));
        snprintf(command, sizeof(command), "rm -rf %s", path);
        for (deep = strlen(path); deep + 201 < 3500; deep += 201) {
                memset(path + deep, 'd', 201);
                path[deep] = '/';
                path[deep + 201] = '\0';
                assert_int_equal(mkdir(path, 0700), 0);
        }
        strcpy(path + deep, "/long-line");
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        for (size_t i = 0; i < ELEMENTS(maps); i++) {
                maps[i] = mmap(NULL, size, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE, fd, 0);
                assert_true(maps[i] != MAP_FAILED);
        }
        close(fd);
        assert_int_equal(read_file_at(AT_FDCWD, "/proc/self/maps", 1 << 20, &text, NULL), 0);
        assert_int_equal(count_text(text, "/long-line\n"), ELEMENTS(maps));
        for (size_t i = 0; i < ELEMENTS(maps); i++)
                munmap(maps[i], size);
        assert_int_equal(system(command), 0);
}

static void test_bounds(void **state) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;

        assert_int_equal(read_file_at(AT_FDCWD, "/proc/self/status", 10, &text, &size), -EFBIG);
        assert_int_equal(read_file_at(AT_FDCWD, "/proc/self/exe", 1 << 20, &text, &size), -ELOOP);
        assert_int_equal(read_file_at(AT_FDCWD, "/", 10, &text, &size), -EISDIR);
        assert_int_equal(read_file_at(AT_FDCWD, "/dev/null", 0, &text, &size), 0);
        assert_int_equal(size, 0);
        assert_string_equal(text, "");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),   cmocka_unit_test(test_open_nothing), cmocka_unit_test(test_thread),
        cmocka_unit_test(test_reopen), cmocka_unit_test(test_deaths),       cmocka_unit_test(test_port),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_long_lines),
};

RUN_TESTS(tests)
