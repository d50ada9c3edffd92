/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* supervise() over real payloads, PID 1 of namespaces of their own, on real terminals: each run has a process of its
 * own for the supervisor, so that signals, descriptors and terminal modes are real, too. */
#include "namespaced.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>

#include "base/str.h"
#include "muster-spawn/stub-init.h"
#include "muster-spawn/supervise.h"
#include "sys/terminal.h"

#define ISOLATED (CLONE_NEWUSER | CLONE_NEWPID)
#define PATIENCE_MSEC 20000
#define BIG (10 * 1024 * 1024)
#define PROMPT_MSEC 900 /* where a second makes a difference; what took longer is tried again */
#define TRIES 5
#define QUIET_MSEC 1500 /* nothing happens, and so nothing is done */
#define BUSY_MSEC 700   /* of a processor: less than that, more than a start takes */

/* What a payload has: notify is its end of the notification socket. It is ready when it closes `ready`; `settled` comes to
 * its end when the supervisor says so. */
struct inside {
        int ready, notify, settled;
};

typedef void (*payload_fn)(const struct inside *i);

struct setup {
        payload_fn payload;
        enum console_mode console;
        int kill_signal;
        bool notify_ready;
        bool nohup;
        const char *manager; /* $NOTIFY_SOCKET */
        int in, out;         /* standard input and output of the supervisor; 0: /dev/null */
        uint64_t namespaces; /* 0: ISOLATED */
};

struct outcome {
        int r, end, status, settled;
        int ended; /* how often that was said while the payload was still to be reaped */
        int pidfd, tell_settled;
        unsigned msec;
};

struct run {
        pid_t supervisor, payload;
        int outcome, ready;
        struct rusage usage;
};

static void nap(unsigned msec) {
        nanosleep(&(struct timespec){ .tv_sec = msec / 1000, .tv_nsec = (long) (msec % 1000) * 1000000 }, NULL);
}

static unsigned now_msec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (unsigned) now.tv_sec * 1000 + (unsigned) (now.tv_nsec / 1000000);
}

static void put_at(int fd, int at) {
        if (fd == 0)
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(fd, at);
}

static void be_payload(const struct setup *s, const sigset_t *mask, int master, const struct inside *i) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        sigprocmask(SIG_SETMASK, mask, NULL);
        setsid();
        if (master >= 0) {
                int slave = terminal_open_peer(master, O_RDWR);

                if (slave < 0)
                        _exit(97);
                for (int fd = 0; fd < 3; fd++)
                        dup2(slave, fd);
                ioctl(0, TIOCSCTTY, 0);
                close(slave);
                close(master);
        }
        s->payload(i);
        _exit(96);
}

static void count_settled(void *outcome) {
        struct outcome *o = outcome;

        if (o->settled++ == 0)
                close(o->tell_settled);
}

static void count_ended(void *outcome) {
        struct outcome *o = outcome;
        siginfo_t info = { 0 };

        if (waitid(P_PIDFD, (id_t) o->pidfd, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && info.si_pid != 0)
                o->ended++;
}

static void be_supervisor(const struct setup *s, int outcome, int ready) {
        struct supervised what = {
                .machine = "test", .terminal = -EBADF, .kill_signal = s->kill_signal, .quiet = true
        };
        struct outcome o = { 0 };
        enum payload_end end;
        sigset_t mask;
        int notify[2], settled[2];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        put_at(s->in, 0);
        put_at(s->out, 1);
        if (s->nohup)
                signal(SIGHUP, SIG_IGN);
        if (s->manager)
                setenv("NOTIFY_SOCKET", s->manager, 1);
        else
                unsetenv("NOTIFY_SOCKET");
        if (supervise_signals(&mask) < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, notify) < 0 ||
            pipe2(settled, O_CLOEXEC) < 0)
                _exit(95);
        setsockopt(notify[0], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
        if (s->console != CONSOLE_PIPE)
                what.terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (what.terminal >= 0)
                unlockpt(what.terminal);
        what.console = s->console;
        what.notify_ready = s->notify_ready;
        what.notify = notify[0];
        what.settled = count_settled;
        what.ended = count_ended;
        what.data = &o;
        what.pid = fork_into(s->namespaces, &what.pidfd);
        if (what.pid < 0)
                _exit(95);
        if (what.pid == 0) {
                close(settled[1]);
                be_payload(s, &mask, what.terminal, &(struct inside){ ready, notify[1], settled[0] });
        }
        (void) !write(outcome, &what.pid, sizeof(what.pid));
        close(ready);
        close(notify[1]);
        close(settled[0]);
        o.pidfd = what.pidfd;
        o.tell_settled = settled[1];
        o.msec = now_msec();
        o.r = supervise(&what, &end, &o.status);
        o.msec = now_msec() - o.msec;
        o.end = (int) end;
        (void) !write(outcome, &o, sizeof(o));
        _exit(o.r < 0 ? 94 : payload_exit_status(end, o.status));
}

static void wait_ready(struct run *r) {
        struct pollfd p = { .fd = r->ready, .events = POLLIN };

        if (poll(&p, 1, PATIENCE_MSEC) <= 0)
                fail_msg("the payload does not get ready");
        close(r->ready);
        r->ready = -EBADF;
}

static void start(const struct setup *s, struct run *ret) {
        int outcome[2], ready[2];

        assert_int_equal(pipe2(outcome, O_CLOEXEC), 0);
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        ret->supervisor = fork();
        assert_true(ret->supervisor >= 0);
        if (ret->supervisor == 0)
                be_supervisor(s, outcome[1], ready[1]);
        close(outcome[1]);
        close(ready[1]);
        ret->outcome = outcome[0];
        ret->ready = ready[0];
        assert_int_equal(read(outcome[0], &ret->payload, sizeof(ret->payload)), sizeof(ret->payload));
}

/* Waits until the supervisor has ended; its exit status. */
static int finish(struct run *r, struct outcome *ret) {
        struct outcome o = { .r = -EIO };
        int status = 0;

        for (unsigned i = 0;
             i < PATIENCE_MSEC / 5 && wait4(r->supervisor, &status, WNOHANG, &r->usage) != r->supervisor; i++) {
                nap(5);
                if (i == PATIENCE_MSEC / 5 - 1) {
                        kill(r->payload, SIGKILL);
                        kill(r->supervisor, SIGKILL);
                        fail_msg("the supervisor does not end");
                }
        }
        (void) !read(r->outcome, &o, sizeof(o));
        close(r->outcome);
        if (r->ready >= 0)
                close(r->ready);
        assert_int_equal(o.r, 0);
        assert_int_equal(o.ended, 1);
        assert_true(WIFEXITED(status));
        assert_int_equal(kill(r->payload, 0), -1); /* reaped */
        if (ret)
                *ret = o;
        return WEXITSTATUS(status);
}

static int run(const struct setup *s, struct outcome *ret) {
        struct run r;

        start(s, &r);
        return finish(&r, ret);
}

static unsigned busy_msec(const struct run *r) {
        const struct timeval *u = &r->usage.ru_utime, *s = &r->usage.ru_stime;

        return (unsigned) ((u->tv_sec + s->tv_sec) * 1000 + (u->tv_usec + s->tv_usec) / 1000);
}

/* ---- how it ends ---- */

static void exit_0(const struct inside *i) {
        _exit(0);
}

static void exit_7(const struct inside *i) {
        _exit(7);
}

static void exit_133(const struct inside *i) {
        _exit(133);
}

static void exit_255(const struct inside *i) {
        _exit(255);
}

/* PID 1 cannot be killed by what it raises, but the kernel's own signals do. */
static void crash(const struct inside *i) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *) mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
}

static void power_off(const struct inside *i) {
        syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, NULL);
}

static void halt(const struct inside *i) {
        syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_HALT, NULL);
}

static void restart(const struct inside *i) {
        syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, NULL);
}

static void kill_itself(const struct inside *i) {
        raise(SIGKILL);
        raise(SIGTERM);
        _exit(3);
}

static void wait_forever(const struct inside *i) {
        close(i->ready);
        for (;;)
                pause();
}

static void test_ends(void **state) {
        static const struct {
                payload_fn payload;
                enum payload_end end;
                int status, exit_status;
        } cases[] = {
                { exit_0, PAYLOAD_EXITED, 0, 0 },        { exit_7, PAYLOAD_EXITED, 7, 7 },
                { exit_133, PAYLOAD_EXITED, 133, 1 },    { exit_255, PAYLOAD_EXITED, 255, 255 },
                { crash, PAYLOAD_SIGNALED, SIGSEGV, 1 }, { power_off, PAYLOAD_POWER_OFF, SIGINT, 0 },
                { halt, PAYLOAD_POWER_OFF, SIGINT, 0 },  { restart, PAYLOAD_REBOOT, SIGHUP, 133 },
                { kill_itself, PAYLOAD_EXITED, 3, 3 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (enum console_mode m = CONSOLE_INTERACTIVE; m <= CONSOLE_PIPE; m++) {
                        struct setup s = { .payload = cases[i].payload, .namespaces = ISOLATED, .console = m };
                        struct outcome o;
                        int status = run(&s, &o);

                        if (o.end != (int) cases[i].end || o.status != cases[i].status ||
                            status != cases[i].exit_status)
                                fail_msg("case %zu, console %d: end %d, status %d, exit %d", i, (int) m, o.end,
                                         o.status, status);
                }
}

static void test_killed_from_outside(void **state) {
        struct setup s = {
                .payload = wait_forever, .namespaces = ISOLATED, .console = CONSOLE_PIPE, .kill_signal = SIGTERM
        };
        struct outcome o;
        struct run r;

        start(&s, &r);
        wait_ready(&r);
        kill(r.payload, SIGKILL);
        assert_int_equal(finish(&r, &o), 1);
        assert_int_equal(o.end, PAYLOAD_SIGNALED);
        assert_int_equal(o.status, SIGKILL);
}

/* ---- after a second ---- */

static void exit_at_once(const struct inside *i) {
        _exit(0);
}

/* Not before it could be said for a second time. */
static void exit_when_settled(const struct inside *i) {
        char byte;

        (void) !read(i->settled, &byte, 1);
        nap(1200);
        _exit(0);
}

static void test_settled(void **state) {
        static const struct {
                payload_fn payload;
                int settled;
        } cases[] = { { exit_at_once, 0 }, { exit_when_settled, 1 } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct setup s = { .payload = cases[i].payload, .console = CONSOLE_READ_ONLY };
                struct outcome o;
                unsigned tries = 0;

                do
                        run(&s, &o);
                while (cases[i].settled == 0 && o.msec > PROMPT_MSEC && ++tries < TRIES);
                assert_int_equal(o.settled, cases[i].settled);
        }
}

/* ---- signals to the supervisor ---- */

static void exit_by(int sig) {
        _exit(sig == SIGTERM ? 4 : sig == SIGRTMIN + 5 ? 5 : sig == SIGRTMIN + 4 ? 6 : 8);
}

static void exit_on_signals(const struct inside *i) {
        signal(SIGTERM, exit_by);
        signal(SIGHUP, exit_by);
        signal(SIGRTMIN + 4, exit_by);
        signal(SIGRTMIN + 5, exit_by);
        wait_forever(i);
}

/* As an init that takes its time to set itself up. */
static void listen_late(const struct inside *i) {
        close(i->ready);
        nap(400);
        signal(SIGTERM, exit_by);
        for (;;)
                pause();
}

/* As one that takes its signals by sigwait(3), and gets there so much later. */
static void block_and_wait(const struct inside *i, unsigned later_msec) {
        sigset_t set;
        int sig;

        close(i->ready);
        nap(400);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        nap(later_msec);
        sigwait(&set, &sig);
        exit_by(sig);
}

static void block_late(const struct inside *i) {
        block_and_wait(i, 400);
}

static void wait_in_sigwait_late(const struct inside *i) {
        block_and_wait(i, 0);
}

static void restart_by(int sig) {
        restart(NULL);
}

/* One that was about to reboot, and does. */
static void restart_on_signal(const struct inside *i) {
        signal(SIGTERM, restart_by);
        wait_forever(i);
}

static void wait_as_payload(void *inside) {
        wait_forever(inside);
}

static void stub(const struct inside *i) {
        static const char shown[] = "container=muster";
        sigset_t none;

        sigemptyset(&none);
        stub_init(&(struct stub){ .mask = &none,
                                  .environment = shown,
                                  .size = sizeof(shown),
                                  .program = -EBADF,
                                  .payload = wait_as_payload,
                                  .data = (void *) i });
        _exit(93);
}

static void test_signals(void **state) {
        const struct {
                payload_fn payload;
                int kill_signal, first, second;
                enum payload_end end;
                int exit_status;
        } cases[] = {
                { wait_forever, 0, SIGTERM, 0, PAYLOAD_KILLED, 1 },
                { wait_forever, 0, SIGINT, 0, PAYLOAD_KILLED, 1 },
                { wait_forever, 0, SIGHUP, 0, PAYLOAD_KILLED, 1 },
                { exit_on_signals, SIGTERM, SIGTERM, 0, PAYLOAD_EXITED, 4 },
                { exit_on_signals, SIGTERM, SIGINT, 0, PAYLOAD_EXITED, 4 },
                { exit_on_signals, SIGTERM, SIGHUP, 0, PAYLOAD_EXITED, 4 },
                { exit_on_signals, SIGRTMIN + 4, SIGTERM, 0, PAYLOAD_EXITED, 6 },
                { wait_forever, SIGTERM, SIGTERM, SIGTERM, PAYLOAD_KILLED, 1 },
                { wait_forever, SIGTERM, SIGINT, SIGTERM, PAYLOAD_KILLED, 1 },
                { stub, SIGRTMIN + 3, SIGTERM, 0, PAYLOAD_POWER_OFF, 0 },
                { stub, SIGINT, SIGTERM, 0, PAYLOAD_POWER_OFF, 0 },
                { listen_late, SIGTERM, SIGTERM, 0, PAYLOAD_EXITED, 4 },
                { block_late, SIGTERM, SIGINT, 0, PAYLOAD_EXITED, 4 },
                { wait_in_sigwait_late, SIGTERM, SIGTERM, 0, PAYLOAD_EXITED, 4 },
                { restart_on_signal, SIGTERM, SIGTERM, 0, PAYLOAD_POWER_OFF, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct setup s = { .payload = cases[i].payload,
                                   .namespaces = ISOLATED,
                                   .console = CONSOLE_PIPE,
                                   .kill_signal = cases[i].kill_signal };
                struct outcome o;
                struct run r;
                int status;

                start(&s, &r);
                wait_ready(&r);
                kill(r.supervisor, cases[i].first);
                if (cases[i].second) {
                        wait_heard(r.supervisor);
                        nap(100);
                        assert_int_equal(kill(r.payload, 0), 0);
                        kill(r.supervisor, cases[i].second);
                }
                status = finish(&r, &o);
                if (o.end != (int) cases[i].end || status != cases[i].exit_status)
                        fail_msg("case %zu: end %d, status %d, exit %d", i, o.end, o.status, status);
        }
}

static void test_nohup(void **state) {
        struct setup s = { .payload = wait_forever, .namespaces = ISOLATED, .console = CONSOLE_PIPE, .nohup = true };
        struct run r;

        start(&s, &r);
        wait_ready(&r);
        kill(r.supervisor, SIGHUP);
        nap(100);
        assert_int_equal(waitpid(r.supervisor, NULL, WNOHANG), 0);
        kill(r.supervisor, SIGTERM);
        assert_int_equal(finish(&r, NULL), 1);
}

/* ---- what the payload says ---- */

static void send_from(int fd, const char *text, size_t size, int passed) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * 64)];
        } control;
        struct iovec iov = { .iov_base = (void *) text, .iov_len = size };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (passed >= 0) {
                struct cmsghdr *c;

                memset(&control, 0, sizeof(control));
                m.msg_control = &control;
                m.msg_controllen = sizeof(control);
                c = CMSG_FIRSTHDR(&m);
                *c = (struct cmsghdr){ CMSG_LEN(sizeof(int) * 64), SOL_SOCKET, SCM_RIGHTS };
                for (int i = 0; i < 64; i++)
                        memcpy(CMSG_DATA(c) + sizeof(int) * (size_t) i, &passed, sizeof(int));
        }
        if (passed >= 0 && sendmsg(fd, &m, 0) < 0 &&
            errno == EPERM) /* Linux 6.16: nobody takes descriptors, and it says so */
                m.msg_controllen = 0;
        else if (passed >= 0)
                return;
        if (sendmsg(fd, &m, 0) != (ssize_t) size)
                _exit(92);
}

static void send_text(int fd, const char *text) {
        send_from(fd, text, strlen(text), -1);
}

static void talk(const struct inside *i) {
        char large[5000];

        memset(large, 'x', sizeof(large));
        memcpy(large, "STATUS=", 7);
        if (fork() == 0) {
                send_text(i->notify, "READY=1\nSTATUS=not PID 1");
                _exit(0);
        }
        wait4(-1, NULL, 0, NULL);
        send_from(i->notify, large, sizeof(large), -1);
        send_from(i->notify, "STATUS=two\0READY=1", 18, -1);
        send_text(i->notify, "STATUS=\033[31mred");
        send_text(i->notify, "MAINPID=1\nFDSTORE=1");
        send_from(i->notify, "STATUS=with descriptors", 23, i->notify);
        send_text(i->notify, "STATUS=");
        send_text(i->notify, "READY=1\nSTATUS=\xc3\xa4");
        wait_forever(i);
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

static int manager_open(const char *address) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct timeval patience = { .tv_sec = PATIENCE_MSEC / 1000 };

        strcpy(a.sun_path, address);
        if (*address == '@')
                a.sun_path[0] = '\0';
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        assert_int_equal(bind(fd, (struct sockaddr *) &a,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(address))),
                         0);
        return fd;
}

/* Abstract, and nobody else's who runs this test right now. Static storage. */
static const char *own_address(void) {
        static char address[64];

        snprintf(address, sizeof(address), "@test-supervise-%d", (int) getpid());
        return address;
}

static void assert_told(int manager, const char *expected) {
        char text[8192];
        ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

        text[n < 0 ? 0 : n] = '\0';
        if (n < 0 || !streq(text, expected))
                fail_msg("the manager was told '%s', not '%s'", text, expected);
}

static void assert_silence(int manager) {
        char text[8192];
        ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

        if (n >= 0)
                fail_msg("the manager was told '%.*s', too", (int) n, text);
}

static void check_notify(const char *address, bool notify_ready) {
        struct setup s = { .payload = talk,
                           .namespaces = ISOLATED,
                           .console = CONSOLE_PIPE,
                           .kill_signal = SIGTERM,
                           .manager = address,
                           .notify_ready = notify_ready };
        int manager = manager_open(address);
        char expected[128];
        unsigned before;
        struct run r;

        start(&s, &r);
        wait_ready(&r);
        snprintf(expected, sizeof(expected), "%sSTATUS=Container started.\nX_NSPAWN_LEADER_PID=%d",
                 notify_ready ? "" : "READY=1\n", (int) r.payload);
        assert_told(manager, expected);
        assert_told(manager, "STATUS=Container running: with descriptors");
        assert_told(manager, "STATUS=Container running.");
        assert_told(manager, "STATUS=Container running: \xc3\xa4");
        assert_told(manager, "READY=1");
        before = open_descriptors(r.supervisor);
        assert_in_range(before, 4, 20); /* none of the 64 that came along */
        kill(r.supervisor, SIGTERM);
        assert_told(manager, "STOPPING=1");
        kill(r.supervisor, SIGTERM);
        assert_int_equal(finish(&r, NULL), 1);
        assert_silence(manager);
        close(manager);
}

static void test_notify(void **state) {
        char path[] = "/tmp/test-supervise-XXXXXX", socket_path[64];

        assert_non_null(mkdtemp(path));
        snprintf(socket_path, sizeof(socket_path), "%s/notify", path);
        check_notify(socket_path, false);
        unlink(socket_path);
        check_notify(socket_path, true);
        unlink(socket_path);
        rmdir(path);
        check_notify(own_address(), true);
}

/* Its last words are heard although its end is known at the same time. */
static void last_words(const struct inside *i) {
        send_text(i->notify, "STATUS=a");
        send_text(i->notify, "STATUS=b");
        send_text(i->notify, "STATUS=c");
        _exit(0);
}

static void test_last_words(void **state) {
        struct setup s = {
                .payload = last_words, .namespaces = ISOLATED, .console = CONSOLE_PIPE, .manager = own_address()
        };
        int manager = manager_open(s.manager);
        char text[128];

        assert_int_equal(run(&s, NULL), 0);
        assert_true(recv(manager, text, sizeof(text), 0) > 0);
        assert_told(manager, "STATUS=Container running: a");
        assert_told(manager, "STATUS=Container running: b");
        assert_told(manager, "STATUS=Container running: c");
        close(manager);
}

/* A flood neither keeps us from hearing signals, nor is our manager's queue waited for. */
static void flood(const struct inside *i) {
        close(i->ready);
        for (;;)
                send_text(i->notify, "STATUS=flood");
}

static void test_flood(void **state) {
        struct setup s = {
                .payload = flood, .namespaces = ISOLATED, .console = CONSOLE_PIPE, .manager = own_address()
        };
        int manager = manager_open(s.manager);
        struct run r;

        start(&s, &r);
        wait_ready(&r);
        nap(200);
        kill(r.supervisor, SIGTERM);
        assert_int_equal(finish(&r, NULL), 1);
        close(manager);
}

static void test_goodbye(void **state) {
        const char *address = own_address();
        int manager = manager_open(address);

        setenv("NOTIFY_SOCKET", address, 1);
        supervise_say_goodbye(7);
        assert_told(manager, "STOPPING=1\nSTATUS=Terminating...\nEXIT_STATUS=7");
        supervise_say_goodbye(133);
        assert_told(manager, "STOPPING=1\nSTATUS=Restarting...\nEXIT_STATUS=133");
        setenv("NOTIFY_SOCKET", "vsock:2:1234", 1); /* reported, and then nobody is told */
        supervise_say_goodbye(0);
        unsetenv("NOTIFY_SOCKET");
        assert_silence(manager);
        close(manager);
}

/* ---- the console ---- */

struct screen {
        int us, them; /* master: what the user sees and types; slave: standard input and output of the supervisor */
        struct termios before;
};

static void screen_open(struct screen *s) {
        struct winsize size = { .ws_row = 33, .ws_col = 77 };

        assert_int_equal(openpty(&s->us, &s->them, NULL, NULL, &size), 0);
        fcntl(s->us, F_SETFD, FD_CLOEXEC);
        fcntl(s->them, F_SETFD, FD_CLOEXEC);
        memset(&s->before, 0, sizeof(s->before)); /* there are gaps between its members */
        tcgetattr(s->them, &s->before);
}

static void screen_close(struct screen *s) {
        struct termios after;

        memset(&after, 0, sizeof(after));
        tcgetattr(s->them, &after);
        assert_memory_equal(&after, &s->before, sizeof(after));
        close(s->us);
        close(s->them);
}

static bool screen_is_raw(const struct screen *s) {
        struct termios now;

        tcgetattr(s->them, &now);
        return !(now.c_lflag & (ICANON | ECHO | ISIG)) && !(now.c_oflag & OPOST);
}

/* Reads until `expected` was shown; false: `end` has come to its end before. */
static bool is_shown(int fd, int end, const char *expected) {
        char text[8192] = "";
        size_t size = 0;

        for (;;) {
                struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = end, .events = POLLIN } };
                ssize_t n;

                if (strstr(text, expected))
                        return true;
                if (poll(p, ELEMENTS(p), PATIENCE_MSEC) <= 0)
                        fail_msg("shown is '%s', not '%s'", text, expected);
                if (p[0].revents == 0)
                        return false;
                n = read(fd, text + size, sizeof(text) - 1 - size);
                if (n <= 0)
                        fail_msg("shown is '%s' and then no more, not '%s'", text, expected);
                size += (size_t) n;
                text[size] = '\0';
        }
}

static void assert_shown(int fd, const char *expected) {
        assert_true(is_shown(fd, -1, expected));
}

static void type(const struct screen *s, const char *text) {
        assert_int_equal(write(s->us, text, strlen(text)), strlen(text));
}

static void say(const char *text) {
        (void) !write(1, text, strlen(text));
}

/* Tells its terminal's size and repeats lines, until one says exit. */
static void converse(const struct inside *i) {
        char line[256], answer[320];
        struct winsize size;
        ssize_t n;

        close(i->ready);
        say("hello\n");
        while ((n = read(0, line, sizeof(line) - 1)) > 0) {
                line[n] = '\0';
                if (startswith(line, "exit"))
                        _exit(9);
                ioctl(0, TIOCGWINSZ, &size);
                snprintf(answer, sizeof(answer), "<%d %d %.*s>\n", size.ws_row, size.ws_col, (int) n - 1, line);
                say(answer);
        }
        _exit(10);
}

static void test_interactive(void **state) {
        struct winsize larger = { .ws_row = 50, .ws_col = 132 };
        struct termios changed;
        struct screen screen;
        struct setup s = { .payload = converse, .namespaces = ISOLATED, .console = CONSOLE_INTERACTIVE };
        struct run r;

        screen_open(&screen);
        s.in = s.out = screen.them;
        start(&s, &r);
        assert_shown(screen.us, "hello\r\n");
        assert_true(screen_is_raw(&screen));
        type(&screen, "one\r");
        assert_shown(screen.us, "<33 77 one>\r\n");
        ioctl(screen.us, TIOCSWINSZ, &larger);
        kill(r.supervisor, SIGWINCH);
        nap(100);
        type(&screen, "two\r");
        assert_shown(screen.us, "<50 132 two>\r\n");
        /* As a shell does when it has taken the terminal back, and then lets us go on. */
        kill(r.supervisor, SIGSTOP);
        changed = screen.before;
        tcsetattr(screen.them, TCSANOW, &changed);
        kill(r.supervisor, SIGCONT);
        type(&screen, "three\r");
        assert_shown(screen.us, "<50 132 three>\r\n");
        assert_true(screen_is_raw(&screen));
        type(&screen, "exit\r");
        assert_int_equal(finish(&r, NULL), 9);
        screen_close(&screen);
}

/* ^C is the payload's business; the terminal is restored when we are told to end, too. */
static void test_control_c(void **state) {
        struct setup s = { .payload = converse, .namespaces = ISOLATED, .console = CONSOLE_INTERACTIVE };
        struct screen screen;
        struct run r;

        screen_open(&screen);
        s.in = s.out = screen.them;
        start(&s, &r);
        assert_shown(screen.us, "hello");
        type(&screen, "\003");
        assert_shown(screen.us, "^C"); /* echo of the payload's terminal; PID 1 has no handler and goes on */
        kill(r.supervisor, SIGTERM);
        assert_int_equal(finish(&r, NULL), 1);
        screen_close(&screen);
}

/* Reads bytes as they come and says how many ^] they were; the signals of hot keys end it. */
static void count_keys(const struct inside *i) {
        struct termios raw;
        char text[32], c;
        int n = 0;

        signal(SIGRTMIN + 4, exit_by);
        signal(SIGRTMIN + 5, exit_by);
        tcgetattr(0, &raw);
        cfmakeraw(&raw);
        tcsetattr(0, TCSANOW, &raw);
        say("hello");
        close(i->ready);
        while (read(0, &c, 1) == 1) {
                n += c == 0x1d;
                snprintf(text, sizeof(text), "<%d %c>", n, c == 0x1d ? '!' : c);
                say(text);
        }
        _exit(11);
}

struct hot_case {
        const char *first, *meanwhile, *second;
        const char *shown; /* when all went to the payload; it is then killed */
        unsigned pause_msec;
        int end, exit_status;
};

/* How long it took from the first key to what became of the last. */
static unsigned press_keys(const struct hot_case *c, struct outcome *ret, int *ret_status) {
        struct setup s = { .payload = count_keys,
                           .namespaces = ISOLATED,
                           .console = CONSOLE_INTERACTIVE,
                           .kill_signal = SIGRTMIN + 3 };
        struct screen screen;
        unsigned begin, msec;
        struct run r;

        screen_open(&screen);
        s.in = s.out = screen.them;
        start(&s, &r);
        assert_shown(screen.us, "hello");
        begin = now_msec();
        type(&screen, c->first);
        if (c->meanwhile)
                assert_shown(screen.us, c->meanwhile);
        nap(c->pause_msec);
        type(&screen, c->second);
        if (c->shown && is_shown(screen.us, r.outcome, c->shown))
                kill(r.payload, SIGKILL);
        msec = now_msec() - begin;
        *ret_status = finish(&r, ret);
        screen_close(&screen);
        return msec;
}

static void test_hot_keys(void **state) {
        static const struct hot_case cases[] = {
                { "\035\035\035", NULL, "", NULL, 0, PAYLOAD_KILLED, 1 },
                { "\035", "<1 !>", "\035\035", "<3 !>", 300, PAYLOAD_KILLED, 1 },
                { "ab\035\035", NULL, "\035cd", "<3 d>", 0, PAYLOAD_KILLED, 1 },
                { "\035\035r", NULL, "", NULL, 0, PAYLOAD_EXITED, 5 },
                { "\035\035p", NULL, "", NULL, 0, PAYLOAD_EXITED, 6 },
                /* reported; others in between reset */
                { "\035\035x", NULL, "\035a\035b\035c", "<5 c>", 0, PAYLOAD_SIGNALED, 1 },
                /* too late */
                { "\035\035", "<2 !>", "\035", "<3 !>", 1200, PAYLOAD_SIGNALED, 1 },
                { "\035\035", "<2 !>", "r", "<2 r>", 1200, PAYLOAD_SIGNALED, 1 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct hot_case *c = cases + i;
                unsigned msec, tries = 0;
                struct outcome o;
                int status;

                do
                        msec = press_keys(c, &o, &status);
                while (c->end == PAYLOAD_KILLED && o.end != PAYLOAD_KILLED && msec > PROMPT_MSEC && ++tries < TRIES);
                if (o.end != c->end || status != c->exit_status)
                        fail_msg("case %zu: end %d, status %d, exit %d", i, o.end, o.status, status);
        }
}

static char big_byte(size_t at) {
        return (char) ('!' + (at * 7 + at / 4093) % 90);
}

static void write_big(const struct inside *i) {
        struct termios raw;
        char chunk[3001];

        tcgetattr(1, &raw);
        cfmakeraw(&raw);
        tcsetattr(1, TCSANOW, &raw);
        close(i->ready);
        for (size_t at = 0; at < BIG;) {
                size_t size = BIG - at < sizeof(chunk) ? BIG - at : sizeof(chunk);
                ssize_t n;

                for (size_t k = 0; k < size; k++)
                        chunk[k] = big_byte(at + k);
                n = write(1, chunk, size);
                if (n <= 0)
                        _exit(91);
                at += (size_t) n;
        }
        _exit(0);
}

/* Until there is no room in that pipe, and most likely none in all there is before it. */
static void wait_full(int fd) {
        struct pollfd p = { .fd = fd, .events = POLLOUT };

        for (unsigned i = 0; i < PATIENCE_MSEC / 5 && poll(&p, 1, 0) > 0; i++)
                nap(5);
        assert_int_equal(poll(&p, 1, 0), 0);
        nap(300);
}

static void test_large_output(void **state) {
        struct setup s = { .payload = write_big, .namespaces = ISOLATED, .console = CONSOLE_READ_ONLY };
        static char text[65536];
        size_t at = 0;
        int out[2];
        struct run r;
        ssize_t n;

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        s.out = out[1];
        start(&s, &r);
        wait_full(out[1]);
        close(out[1]);
        while ((n = read(out[0], text, at < 100000 ? 777 : sizeof(text))) > 0) {
                for (ssize_t k = 0; k < n; k++)
                        if (text[k] != big_byte(at + (size_t) k))
                                fail_msg("byte %zu is wrong", at + (size_t) k);
                at += (size_t) n;
                if (at < 100000)
                        nap(2);
        }
        assert_int_equal(finish(&r, NULL), 0);
        assert_int_equal(at, BIG);
        close(out[0]);
}

/* Waits until the process is in that state (proc(5), stat). */
static void wait_state(pid_t pid, char expected) {
        char path[64], text[512] = "";
        const char *state = NULL;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        for (unsigned i = 0; i < PATIENCE_MSEC / 5 && (!state || state[2] != expected); i++) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);

                assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
                close(fd);
                state = strrchr(text, ')');
                nap(5);
        }
        assert_true(state && state[2] == expected);
}

/* Nobody reads the rest: a signal ends the waiting, not the result. */
static void test_stuck_output(void **state) {
        struct setup s = { .payload = write_big, .namespaces = ISOLATED, .console = CONSOLE_READ_ONLY };
        struct outcome o;
        int out[2];
        struct run r;

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        s.out = out[1];
        start(&s, &r);
        wait_full(out[1]);
        close(out[1]);
        kill(r.payload, SIGKILL);
        wait_state(r.payload, 'Z'); /* it is reaped when all is over */
        nap(QUIET_MSEC);
        wait_state(r.supervisor, 'S'); /* it has seen that */
        assert_int_equal(waitpid(r.supervisor, NULL, WNOHANG), 0);
        kill(r.supervisor, SIGTERM);
        assert_int_equal(finish(&r, &o), 1);
        assert_int_equal(o.end, PAYLOAD_SIGNALED);
        assert_true(busy_msec(&r) < BUSY_MSEC);
        close(out[0]);
}

/* The machine goes on when nobody reads its output. */
static void test_broken_output(void **state) {
        struct setup s = { .payload = write_big, .namespaces = ISOLATED, .console = CONSOLE_READ_ONLY };
        int out[2];

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        close(out[0]);
        s.out = out[1];
        assert_int_equal(run(&s, NULL), 0);
        close(out[1]);
}

static void be_quiet_for_a_while(const struct inside *i) {
        nap(QUIET_MSEC);
        say("end");
        _exit(0);
}

/* No input, no input any more: nothing to be busy with. */
static void test_closed_input(void **state) {
        struct setup s = { .payload = be_quiet_for_a_while, .namespaces = ISOLATED, .console = CONSOLE_INTERACTIVE };
        int in[2], out[2];
        struct run r;

        for (int i = 0; i < 3; i++) {
                assert_int_equal(pipe2(in, O_CLOEXEC), 0);
                assert_int_equal(pipe2(out, O_CLOEXEC), 0);
                s.in = i == 0 ? 0 : in[0];
                s.out = out[1];
                if (i == 1)
                        close(in[1]); /* half closed */
                start(&s, &r);
                assert_int_equal(finish(&r, NULL), 0);
                assert_true(busy_msec(&r) < BUSY_MSEC);
                assert_shown(out[0], "end");
                close(in[0]);
                if (i != 1)
                        close(in[1]);
                close(out[0]);
                close(out[1]);
        }
}

static void test_piped_input(void **state) {
        struct setup s = { .payload = converse, .namespaces = ISOLATED, .console = CONSOLE_INTERACTIVE };
        int in[2], out[2];

        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        s.in = in[0];
        s.out = out[1];
        assert_int_equal(write(in[1], "a\nexit\n", 7), 7);
        close(in[1]);
        assert_int_equal(run(&s, NULL), 9);
        assert_shown(out[0], " a>\r\n");
        /* O_NONBLOCK is ours alone: who started us shares these pipes with us. */
        assert_false(fcntl(in[0], F_GETFL) & O_NONBLOCK);
        assert_false(fcntl(out[1], F_GETFL) & O_NONBLOCK);
        close(in[0]);
        close(out[0]);
        close(out[1]);
}

/* As an init does: closes the console, and much later a getty opens it again. */
static void reopen_console(const struct inside *i) {
        int keep = open("/proc/self/fd/0", O_RDONLY | O_NOCTTY | O_CLOEXEC); /* to find it again: a path of it */
        char path[64], name[64] = "";

        snprintf(path, sizeof(path), "/proc/self/fd/%d", keep);
        (void) !readlink(path, name, sizeof(name) - 1);
        say("first ");
        close(keep);
        for (int fd = 0; fd < 3; fd++)
                close(fd);
        nap(QUIET_MSEC);
        for (int fd = 0; fd < 3; fd++)
                if (open(name, O_RDWR | O_NOCTTY) != fd)
                        _exit(90);
        say("second\n");
        converse(i);
}

static void hang_up_console(const struct inside *i) {
        char name[64] = "";

        (void) !readlink("/proc/self/fd/0", name, sizeof(name) - 1);
        signal(SIGHUP, SIG_IGN);
        say("first ");
        nap(100);
        if (vhangup() < 0)
                _exit(errno == EPERM ? 77 : 89);
        for (int fd = 0; fd < 3; fd++)
                close(fd);
        nap(QUIET_MSEC);
        for (int fd = 0; fd < 3; fd++)
                if (open(name, O_RDWR | O_NOCTTY) != fd)
                        _exit(90);
        say("second\n");
        converse(i);
}

static void check_reopened(payload_fn payload, uint64_t namespaces) {
        struct setup s = { .payload = payload, .console = CONSOLE_INTERACTIVE, .namespaces = namespaces };
        struct screen screen;
        struct run r;

        screen_open(&screen);
        s.in = s.out = screen.them;
        start(&s, &r);
        assert_shown(screen.us, "first ");
        assert_shown(screen.us, "second\r\nhello");
        type(&screen, "one\r");
        assert_shown(screen.us, "one>\r\n");
        type(&screen, "exit\r");
        assert_int_equal(finish(&r, NULL), 9);
        assert_true(busy_msec(&r) < BUSY_MSEC);
        screen_close(&screen);
}

static void test_reopened(void **state) {
        check_reopened(reopen_console, ISOLATED);
}

static void test_hung_up(void **state) {
        if (geteuid() != 0) {
                print_message("# skipped: only root may vhangup(2)\n");
                return;
        }
        check_reopened(hang_up_console, CLONE_NEWPID);
}

/* Nothing is shown, and nothing typed is taken, before the end. */
static void speak_and_wait(const struct inside *i) {
        say("left over\n");
        wait_forever(i);
}

static void test_passive(void **state) {
        struct setup s = { .payload = speak_and_wait, .namespaces = ISOLATED, .console = CONSOLE_PASSIVE };
        struct pollfd p = { .events = POLLIN };
        struct screen screen;
        struct run r;

        screen_open(&screen);
        s.in = s.out = screen.them;
        start(&s, &r);
        wait_ready(&r);
        p.fd = screen.us;
        assert_int_equal(poll(&p, 1, 200), 0);
        assert_false(screen_is_raw(&screen));
        kill(r.supervisor, SIGTERM);
        assert_shown(screen.us, "left over\r\n");
        assert_int_equal(finish(&r, NULL), 1);
        screen_close(&screen);
}

/* What is typed is not for the machine, and ^C ends it: our terminal still makes signals. */
static void test_read_only(void **state) {
        struct setup s = { .payload = converse, .namespaces = ISOLATED, .console = CONSOLE_READ_ONLY };
        struct termios now;
        struct screen screen;
        struct run r;

        screen_open(&screen);
        s.in = s.out = screen.them;
        start(&s, &r);
        assert_shown(screen.us, "hello\r\n");
        tcgetattr(screen.them, &now);
        assert_int_equal(now.c_lflag, screen.before.c_lflag);
        assert_false(now.c_oflag & OPOST);
        type(&screen, "exit\r");
        nap(100);
        assert_int_equal(waitpid(r.supervisor, NULL, WNOHANG), 0);
        kill(r.supervisor, SIGINT);
        assert_int_equal(finish(&r, NULL), 1);
        tcflush(screen.them, TCIOFLUSH);
        screen_close(&screen);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),          cmocka_unit_test(test_killed_from_outside),
        cmocka_unit_test(test_settled),       cmocka_unit_test(test_signals),
        cmocka_unit_test(test_nohup),         cmocka_unit_test(test_notify),
        cmocka_unit_test(test_last_words),    cmocka_unit_test(test_flood),
        cmocka_unit_test(test_goodbye),       cmocka_unit_test(test_interactive),
        cmocka_unit_test(test_control_c),     cmocka_unit_test(test_hot_keys),
        cmocka_unit_test(test_large_output),  cmocka_unit_test(test_stuck_output),
        cmocka_unit_test(test_broken_output), cmocka_unit_test(test_closed_input),
        cmocka_unit_test(test_piped_input),   cmocka_unit_test(test_reopened),
        cmocka_unit_test(test_hung_up),       cmocka_unit_test(test_passive),
        cmocka_unit_test(test_read_only),
};

int main(void) {
        if (!have_namespaces(ISOLATED))
                return 0;
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
