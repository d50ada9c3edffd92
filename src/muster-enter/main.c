/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-enter: runs one command inside of a machine.
 *
 *   main.c      what it was started with; asks, then starts the second process
 *   leader.c    the machine's first process: what of it is joined and copied
 *   account.c   the user; programs.c: what is run, and its environment; units.c: by the machine's service manager
 *   join.c      the second process: joins the machine, starts the third and ends
 *   inside.c    the third: gives up rights, opens a terminal, becomes the command
 *   watch.c     the first, from then on: reports, signals, time
 *
 * It is started by musterd, or by muster where no musterd runs, with the command's standard descriptors, and with
 * 3 the request (codec/enter-protocol.h), 4 a pidfd of the machine's leader, 5 a SOCK_SEQPACKET socket to report to, 6 something to
 * be closed when the command runs. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "muster-enter/enter.h"
#include "spec/spec.h"
#include "sys/clone-beside.h"
#include "sys/protect-self.h"
#include "sys/read-only-self.h"

#define STACK_BYTES 65536 /* of the second process; the third goes on there */
#define ASKING_SECONDS 30 /* a file system of the machine may hang, and then so do we: not for ever */

static int read_request(struct session **ret) {
        struct stat st;
        AUTO_FREE char *data = NULL;
        size_t size = 0;

        if (fstat(ENTER_FD_REQUEST, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
            (uint64_t) st.st_size > ENTER_REQUEST_MAX)
                return -EBADMSG;
        data = malloc((size_t) st.st_size + 1);
        if (!data)
                return -ENOMEM;
        while (size < (size_t) st.st_size) {
                ssize_t n = pread(ENTER_FD_REQUEST, data + size, (size_t) st.st_size - size, (off_t) size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return -EBADMSG;
                size += (size_t) n;
        }
        close(ENTER_FD_REQUEST);
        return enter_request_decode(data, size, ret);
}

/* We were started ahead of time, so that nobody waits for that. What has come are numbers, and as many descriptors that are to have
 * them; the others are the null device and stay so. 0: nobody wants us any more. */
static int await_orders(void) {
        unsigned char numbers[ENTER_FD_STARTING + 1];
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(numbers) * sizeof(int))];
        } control;
        struct iovec part = { .iov_base = numbers, .iov_len = sizeof(numbers) };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
        };
        int socket = fcntl(ENTER_FD_REQUEST, F_DUPFD_CLOEXEC, ENTER_FD_STARTING + 1), fds[sizeof(numbers)];
        ssize_t n;

        do
                n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0 || !CMSG_FIRSTHDR(&message) || control.head.cmsg_len != CMSG_LEN((size_t) n * sizeof(int)))
                return 0;
        memcpy(fds, CMSG_DATA(&control.head), (size_t) n * sizeof(int));
        for (ssize_t i = 0; i < n;
             i++) /* all of ours are above those that are wanted: none is overwritten before its turn */
                if (numbers[i] > ENTER_FD_STARTING || dup2(fds[i], numbers[i]) < 0)
                        return 0;
        return 1;
}

static bool is_socket(int fd) {
        int type = 0;
        socklen_t size = sizeof(type);

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* A process that has a descriptor may open what is behind it again, with the rights that it has there: root of a machine, a file of
 * the host for writing, or what is around a directory of the host; a terminal takes bytes as if they were typed. So nothing goes in
 * but what leads nowhere: pipes, sockets, and the null device. */
static int check_stdio(struct diag *d) {
        static const char *const names[] = { "Standard input", "Standard output", "Standard error" };

        for (int i = 0; i < 3; i++) {
                struct stat st;

                if (fstat(i, &st) < 0)
                        return diag_set(d, -EBADF, NULL, "%s is not open.", names[i]);
                if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
                    (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
                        continue;
                return diag_set(d, -EINVAL, NULL,
                                "%s is a file or a device of the host: a pipe, a socket or /dev/null is needed.",
                                names[i]);
        }
        return 0;
}

static int choose_filter(struct enter *e, struct diag *d) {
        static const struct spec nothing_asked_for;

        if (!e->leader.confinement.filtered)
                return 0;
        return filter_build(&nothing_asked_for, e->leader.confinement.bounding, NULL, NULL, &e->filter, d);
}

static int prepare(struct enter *e, struct diag *d) {
        int r = check_stdio(d);

        if (r >= 0)
                r = leader_open(ENTER_FD_LEADER, &e->leader, d);
        if (r >= 0)
                r = account_find(e->leader.root, e->session->user, &e->account, d);
        if (r >= 0)
                r = programs_choose(e);
        if (r >= 0)
                r = choose_filter(e, d);
        if (r >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->channel) < 0)
                r = -errno;
        return r;
}

static void be_joiner(void *userdata) {
        struct enter *e = userdata;

        close(e->channel[0]);
        join(e);
}

/* Born in the machine's control group of cgroup2: to be moved there later would wait for a grace period of the kernel, several
 * milliseconds (CLONE_INTO_CGROUP, Linux 5.7). Without memory of its own, but where it has to be alone with that: setns(2) of a time
 * namespace. */
static pid_t clone_joiner(struct enter *e, int *ret_pidfd) {
        static char stack[STACK_BYTES] __attribute__((aligned(16)));
        struct clone_args args = { .flags = CLONE_PIDFD,
                                   .pidfd = (uint64_t) (uintptr_t) ret_pidfd,
                                   .exit_signal = SIGCHLD };
        pid_t pid;

        for (size_t i = 0; i < e->leader.n_cgroups; i++)
                if (e->leader.cgroups[i].v2) {
                        args.flags |= CLONE_INTO_CGROUP;
                        args.cgroup = (uint64_t) e->leader.cgroups[i].fd;
                }
        if (!(e->leader.namespaces & CLONE_NEWTIME))
                return clone_beside(&args, stack, sizeof(stack), be_joiner, e);
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0)
                be_joiner(e);
        return pid < 0 ? -errno : pid;
}

static int start(struct enter *e, struct diag *d) {
        int pidfd = -EBADF;
        pid_t pid = clone_joiner(e, &pidfd);

        if (pid == -EAGAIN)
                return diag_set(d, pid, NULL, "The machine has no room for another process: its limit is reached.");
        if (pid < 0)
                return diag_set(d, pid, NULL, "Cannot start a process in the machine's control group: %s.",
                                strerror(-pid));
        return watch(e, pidfd);
}

static void enter_done(struct enter *e) {
        session_free(e->session);
        leader_done(&e->leader);
        account_done(&e->account);
        strv_free(e->environment);
        filter_done(&e->filter);
}

/* Nobody but the client and time ends us: a service manager that stops musterd means musterd, and a machine goes by itself. */
static void ignore_signals(void) {
        static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP };

        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                signal(ignored[i], SIG_IGN);
}

/* It is not started by its descriptor for anything else. */
void start_bare(char *const argv[]) {
}

int main(int argc, char *argv[]) {
        AUTO(enter_done) struct enter e = { .status = ENTER_FD_STATUS, .leader = LEADER_EMPTY };
        struct diag d = { 0 };
        bool spare = is_socket(ENTER_FD_REQUEST);
        int r;

        if (!spare && !is_socket(ENTER_FD_STATUS)) {
                fprintf(stderr, "muster-enter is started by musterd and muster, with a socket as descriptor %d.\n",
                        ENTER_FD_STATUS);
                return 2;
        }
        (void) protect_tables();
        (void) protect_self("muster-enter", argv, environ);
        prctl(PR_SET_NAME, spare ? "muster-spare" : "muster-enter", 0, 0,
              0); /* it may have been started by a descriptor */
        /* Nothing of what is read and held here is the machine's to see (ptrace(2)). */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        ignore_signals();
        if (spare && !await_orders())
                return 0;
        prctl(PR_SET_NAME, "muster-enter", 0, 0, 0);
        for (int fd = ENTER_FD_REQUEST; fd <= ENTER_FD_STARTING; fd++)
                (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
        syscall(SYS_close_range, ENTER_FD_STARTING + 1, ~0U, 0);
        (void) setgroups(0, NULL);
        alarm(ASKING_SECONDS);
        r = read_request(&e.session);
        if (r < 0)
                diag_set(&d, r, NULL, "What is to be run cannot be read.");
        else
                r = prepare(&e, &d);
        alarm(0);
        if (r >= 0)
                r = start(&e, &d);
        if (r < 0)
                report_failed(e.status, ENTER_EXIT_FAILURE, "%s", *d.text ? d.text : strerror(-r));
        report_done(e.status);
        return r < 0 ? ENTER_EXIT_FAILURE : 0;
}
