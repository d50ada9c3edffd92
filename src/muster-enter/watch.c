/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first process: passes reports on, and looks after the command until it has ended: it hands over signals, ends what takes too
 * long, and what nobody waits for any more. It stays outside of the machine, which can neither see nor stop it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "muster-enter/enter.h"
#include "sys/packet.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define START_USEC UINT64_C(30000000) /* until the program runs: a frozen machine would have us wait for ever */
#define JOINER_MSEC 1000              /* for the second process to end, alone or killed */
#define GRACE_USEC UINT64_C(5000000)  /* from being asked to end to being killed */

struct watch {
        struct enter *e;
        int joiner; /* pidfd of the second process; -EBADF: it is done */
        pid_t pid;  /* of the third, 0: not known yet */
        int pidfd;  /* of the same; -EBADF: it was reaped */
        siginfo_t end;
        bool channel_open, status_open, started, ended;
        bool reported; /* that it failed: then its end is no news */
        bool timed_out, left, killed;
        uint64_t early;    /* signals that came before the program ran: bit n - 1 is signal n */
        uint64_t deadline; /* for what comes next, UINT64_MAX: never */
        uint64_t kill_at;
};

static uint64_t now_usec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* To the command and what shares its process group; before it has one, to itself. */
static void signal_command(struct watch *w, int sig) {
        if (w->pid <= 0 || w->ended)
                return;
        if (kill(-w->pid, sig) < 0 && w->pidfd >= 0)
                (void) syscall(SYS_pidfd_send_signal, w->pidfd, sig, NULL, 0);
}

static void tell(struct watch *w, enum enter_report_kind kind, int32_t value, const char *text, int fd) {
        if (kind == ENTER_REPORT_FAILED)
                w->reported = true;
        if (w->status_open)
                (void) report_send(w->e->status, kind, value, text, fd);
}

/* ---- the channel ---- */

/* What the client handed on while our own processes were on their way. It may well know earlier than we that the program runs: from
 * what that writes. */
static void signal_late(struct watch *w) {
        for (int sig = 1; sig <= 64; sig++)
                if (w->early & UINT64_C(1) << (sig - 1))
                        signal_command(w, sig);
        w->early = 0;
}

/* Our own processes have closed it: the program runs, or there is none. */
static void channel_closed(struct watch *w) {
        w->channel_open = false;
        close(ENTER_FD_STARTING);
        if (!w->reported && w->pid <= 0)
                tell(w, ENTER_REPORT_FAILED, ENTER_EXIT_FAILURE, "The machine was not joined: has it ended?", -EBADF);
        if (w->reported)
                return;
        w->started = true;
        w->deadline = w->e->session->timeout_usec && w->e->session->timeout_usec != UINT64_MAX
                              ? now_usec() + w->e->session->timeout_usec
                              : UINT64_MAX;
        tell(w, ENTER_REPORT_STARTED, w->pid, NULL, -EBADF);
        signal_late(w);
}

/* false: nothing has come. */
static bool read_channel(struct watch *w) {
        uint8_t packet[ENTER_REPORT_MAX];
        struct enter_report report;
        int32_t pid;
        int fd;
        ssize_t n = packet_receive(w->e->channel[0], packet, sizeof(packet), &fd);

        if (n == -EAGAIN)
                return false;
        if (n <= 0) {
                channel_closed(w);
                return true;
        }
        if (n == sizeof(pid)) {
                memcpy(&pid, packet, sizeof(pid));
                w->pid = pid;
                w->pidfd = (int) syscall(SYS_pidfd_open, pid,
                                         0); /* our child: the number stays its own until we reap it */
        } else if (enter_report_decode(packet, (size_t) n, &report) >= 0)
                tell(w, report.kind, report.value, report.text, fd);
        if (fd >= 0)
                close(fd);
        return true;
}

static void read_all_of_channel(struct watch *w) {
        while (w->channel_open && read_channel(w))
                ;
}

/* ---- the client ---- */

static void kill_command(struct watch *w) {
        w->killed = true;
        w->kill_at = UINT64_MAX;
        read_all_of_channel(w);
        signal_command(w, SIGKILL);
}

static void ask_to_end(struct watch *w, int sig) {
        if (!w->started) {
                kill_command(w);
                return;
        }
        signal_command(w, sig);
        signal_command(w, SIGCONT); /* one that is stopped hears nothing */
        w->kill_at = now_usec() + GRACE_USEC;
}

/* Whatever it does, it may do because of what the program has written; that it runs is to be read from the channel before. */
static void read_status(struct watch *w) {
        uint8_t sig[2];
        ssize_t n = recv(w->e->status, sig, sizeof(sig), MSG_DONTWAIT);

        read_all_of_channel(w);
        if (n == ENTER_SIGNAL_SIZE && sig[0] >= 1 && sig[0] <= 64) {
                if (w->started)
                        signal_command(w, sig[0]);
                else
                        w->early |= UINT64_C(1) << (sig[0] - 1);
                return;
        }
        if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
                return;
        w->status_open = false;
        if (w->e->session->detach)
                return;
        w->left = true;
        ask_to_end(w, SIGHUP);
}

/* ---- time ---- */

static int timeout_msec(const struct watch *w) {
        uint64_t until = w->deadline < w->kill_at ? w->deadline : w->kill_at, now = now_usec();

        if (until == UINT64_MAX)
                return -1;
        if (until <= now)
                return 0;
        return until - now > UINT64_C(86400000000) ? 86400000 : (int) ((until - now + 999) / 1000);
}

static void check_time(struct watch *w) {
        uint64_t now = now_usec();

        if (w->kill_at <= now)
                kill_command(w);
        if (w->deadline > now)
                return;
        w->deadline = UINT64_MAX;
        if (w->started) {
                w->timed_out = true;
                ask_to_end(w, SIGTERM);
                return;
        }
        tell(w, ENTER_REPORT_FAILED, ENTER_EXIT_FAILURE,
             "The command could not be started in 30 seconds: is the machine frozen?", -EBADF);
        kill_command(w);
}

/* ---- the end ---- */

static void report_end(struct watch *w) {
        const siginfo_t *end = &w->end;
        const char *text = NULL;

        if (w->reported)
                return;
        w->reported = true;
        if (w->timed_out) {
                tell(w, ENTER_REPORT_TIMEOUT, 0, NULL, -EBADF);
        } else if (end->si_code == CLD_EXITED) {
                tell(w, ENTER_REPORT_EXITED, end->si_status & 255, NULL, -EBADF);
        } else {
                if (end->si_status == SIGKILL && leader_is_ending(&w->e->leader))
                        text = "The machine has ended.";
                tell(w, ENTER_REPORT_SIGNALED, end->si_status, text, -EBADF);
        }
}

/* Whoever was to be ended takes his process group with him; its number is his own until he is reaped. */
static void reap(struct watch *w) {
        if (w->left || w->timed_out || w->killed)
                (void) kill(-w->pid, SIGKILL);
        if (waitid((idtype_t) P_PIDFD, (id_t) w->pidfd, &w->end, WEXITED | WNOHANG | __WALL) < 0 || w->end.si_pid == 0)
                return;
        close(STEAL_FD(w->pidfd));
        w->ended = true;
}

static bool is_over(const struct watch *w) {
        if (w->started && w->e->session->detach && w->deadline == UINT64_MAX && !w->timed_out)
                return true;
        if ((w->reported || !w->status_open) && w->killed && !w->started)
                return true; /* one that cannot even be killed, for it is frozen, is not waited for */
        return !w->channel_open && (w->ended || w->pid <= 0);
}

static void turn(struct watch *w) {
        struct pollfd slots[] = {
                { .fd = w->channel_open ? w->e->channel[0] : -1, .events = POLLIN },
                { .fd = w->status_open ? w->e->status : -1, .events = POLLIN },
                { .fd = w->pidfd, .events = POLLIN },
                { .fd = w->joiner, .events = POLLIN },
        };

        if (poll(slots, ELEMENTS(slots), timeout_msec(w)) < 0)
                return;
        if (slots[0].revents)
                (void) read_channel(w);
        if (slots[1].revents)
                read_status(w);
        if (slots[3].revents) {
                siginfo_t end;

                (void) waitid((idtype_t) P_PIDFD, (id_t) w->joiner, &end, WEXITED | WNOHANG);
                close(STEAL_FD(w->joiner));
        }
        if (slots[2].revents)
                reap(w);
        if (w->ended && !w->channel_open) /* what it said with its last breath comes first */
                report_end(w);
        check_time(w);
}

static bool joiner_ends(const struct watch *w, int timeout_msec) {
        struct pollfd joiner = { .fd = w->joiner, .events = POLLIN };

        return poll(&joiner, 1, timeout_msec) > 0;
}

/* The second process has our memory until it ends (sys/clone-beside.h), so nothing is done before. If that takes too long, as in a
 * machine that is frozen, or nobody wants it any more and it does not come to its end, it is killed, and does not run again. */
static void await_joiner(const struct watch *w) {
        struct pollfd slots[] = { { .fd = w->joiner, .events = POLLIN },
                                  { .fd = w->e->session->detach ? -1 : w->e->status } };

        (void) poll(slots, ELEMENTS(slots), (int) (START_USEC / 1000));
        if (joiner_ends(w, slots[1].revents ? JOINER_MSEC : 0))
                return;
        (void) syscall(SYS_pidfd_send_signal, w->joiner, SIGKILL, NULL, 0);
        (void) joiner_ends(w, JOINER_MSEC);
}

/* The ends of the command's pipes are its own, and the machine's root is to be unmounted when the machine wants. */
static void let_go(struct enter *e) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        close(e->channel[1]);
        close(STEAL_FD(e->leader.root));
        for (int i = 0; i < 3; i++)
                if (null < 0 || dup2(null, i) < 0)
                        close(i);
        if (null > 2)
                close(null);
}

int watch(struct enter *e, int joiner_pidfd) {
        struct watch w = { .e = e, .joiner = joiner_pidfd, .pidfd = -EBADF, .channel_open = true, .status_open = true };

        w.deadline = now_usec() + START_USEC;
        w.kill_at = UINT64_MAX;
        await_joiner(&w);
        let_go(e);
        check_time(&w);
        while (!is_over(&w))
                turn(&w);
        return 0;
}
