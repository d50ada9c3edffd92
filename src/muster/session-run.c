/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One poll(2) over what the session reports, signals, and as many bytes as have to pass here. Pipes and sockets of ours are the
 * command's own, so that nothing has to; files and terminals are not let in (muster-enter/main.c: check_stdio), so they get a pipe
 * each; and with a terminal inside, its master is what we read and write. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/hot-keys.h"
#include "codec/enter-protocol.h"
#include "muster/connect.h"
#include "muster/failure.h"
#include "muster/session-flow.h"
#include "muster/session.h"
#include "sys/packet.h"
#include "sys/terminal.h"

#define REOPEN_MSEC 50      /* how often a terminal that nobody has open inside is looked at again */
#define BACKGROUND_MSEC 250 /* how often it is asked whether our terminal is ours again */
#define END_OF_INPUT 0x04   /* ^D */

enum { FLOW_IN, FLOW_OUT, FLOW_ERR, _FLOWS };

struct run {
        const char *name;
        struct session *session;
        int status, signals, master;
        struct flow *flows[_FLOWS]; /* NULL: the command has ours */
        struct hot_keys keys;
        struct termios modes;
        bool typed_in; /* standard input is a terminal */
        bool raw, hung_up, left, ended;
        bool asking; /* for a password, perhaps: nothing has been started yet */
        int exit_status;
        int last_signal;
};

static uint64_t now_usec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* ---- our own descriptors ---- */

/* Can it be the command's own? */
static bool leads_nowhere(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return false;
        return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static int make_flow(struct run *run, int i) {
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        if (i == FLOW_IN) {
                (void) fcntl(ends[1], F_SETFL, O_NONBLOCK);
                run->session->fds[SESSION_FD_INPUT] = ends[0];
                r = flow_new(STDIN_FILENO, ends[1], &run->flows[i]);
        } else {
                (void) fcntl(ends[0], F_SETFL, O_NONBLOCK);
                run->session->fds[SESSION_FD_INPUT + i] = ends[1];
                r = flow_new(ends[0], i, &run->flows[i]);
        }
        return r;
}

static int prepare_stdio(struct run *run) {
        for (int i = 0; i < _FLOWS; i++) {
                int *fd = &run->session->fds[SESSION_FD_INPUT + i], r = 0;

                if (fcntl(i, F_GETFD) < 0)
                        *fd = open("/dev/null", O_RDWR | O_CLOEXEC);
                else if (leads_nowhere(i))
                        *fd = fcntl(i, F_DUPFD_CLOEXEC, 3);
                else
                        r = make_flow(run, i);
                if (r < 0 || *fd < 0)
                        return r < 0 ? r : -errno;
        }
        return 0;
}

static void find_size(struct session *s) {
        struct winsize size;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
                return;
        s->rows = size.ws_row;
        s->columns = size.ws_col;
}

/* A signal that whoever started us wants ignored (nohup(1)) stays so. */
static int open_signals(void) {
        static const int watched[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };
        struct sigaction now;
        sigset_t set;
        int fd;

        sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTS(watched); i++)
                if (sigaction(watched[i], NULL, &now) < 0 || now.sa_handler != SIG_IGN || watched[i] == SIGWINCH ||
                    watched[i] == SIGCONT)
                        sigaddset(&set, watched[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        signal(SIGPIPE, SIG_IGN);
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

/* ---- the terminal ---- */

static void set_raw(struct run *run) {
        if (!run->raw && tcgetattr(STDIN_FILENO, &run->modes) < 0)
                return;
        if (terminal_is_foreground(STDIN_FILENO) && terminal_set_raw(STDIN_FILENO, &run->modes) == 0)
                run->raw = true;
}

static void copy_size(const struct run *run) {
        if (run->master < 0)
                return;
        if (terminal_copy_size(STDOUT_FILENO, run->master) < 0)
                (void) terminal_copy_size(STDIN_FILENO, run->master);
}

/* master is consumed. */
static int begin_terminal(struct run *run, int master) {
        int second;

        if (run->master >= 0 || master < 0) {
                if (master >= 0)
                        close(master);
                return 0;
        }
        (void) fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
        second = fcntl(master, F_DUPFD_CLOEXEC, 3);
        if (second < 0 || flow_new(STDIN_FILENO, master, &run->flows[FLOW_IN]) < 0 ||
            flow_new(second, STDOUT_FILENO, &run->flows[FLOW_OUT]) < 0)
                return -ENOMEM;
        run->master = master;
        copy_size(run);
        set_raw(run);
        return 0;
}

/* ---- what the session reports ---- */

static void end(struct run *run, int exit_status) {
        run->ended = true;
        run->exit_status = exit_status;
}

static void failed(struct run *run, const char *text) {
        AUTO_FREE char *shown = str_escape(text, ENTER_REPORT_TEXT_MAX);

        if (run->raw) {
                (void) terminal_restore(STDIN_FILENO, &run->modes);
                run->raw = false;
        }
        fail("%s: %s", run->name, strempty(shown));
}

static void take_report(struct run *run, const struct enter_report *r, int fd) {
        switch (r->kind) {
        case ENTER_REPORT_TERMINAL:
                if (begin_terminal(run, fd) < 0)
                        end(run, EXIT_SESSION);
                return;
        case ENTER_REPORT_STARTED:
                if (run->session->detach)
                        end(run, EXIT_SUCCESS);
                break;
        case ENTER_REPORT_FAILED:
                failed(run, r->text);
                end(run, r->value);
                break;
        case ENTER_REPORT_EXITED:
                end(run, r->value);
                break;
        case ENTER_REPORT_SIGNALED:
                if (*r->text)
                        failed(run, r->text);
                end(run, 128 + r->value);
                break;
        case ENTER_REPORT_TIMEOUT:
                end(run, ENTER_EXIT_TIMEOUT);
                break;
        default:
                break;
        }
        if (fd >= 0)
                close(fd);
}

static void read_status(struct run *run) {
        uint8_t packet[ENTER_REPORT_MAX];
        struct enter_report report;
        int fd;
        ssize_t n = packet_receive(run->status, packet, sizeof(packet), &fd);

        if (n == -EAGAIN)
                return;
        if (n > 0 && enter_report_decode(packet, (size_t) n, &report) == 0) {
                take_report(run, &report, fd);
                return;
        }
        failed(run, "muster-enter has ended before the command did.");
        end(run, EXIT_SESSION);
}

/* ---- signals and keys ---- */

static void leave(struct run *run, int exit_status) {
        run->left = true;
        end(run, exit_status);
}

/* Without a terminal they are the command's, but whoever says it twice means us. On a terminal what is typed is bytes, and signals
 * come from elsewhere. */
static void take_signal(struct run *run) {
        struct signalfd_siginfo si;
        uint8_t number;
        int sig;

        if (read(run->signals, &si, sizeof(si)) != (ssize_t) sizeof(si))
                return;
        sig = (int) si.ssi_signo;
        number = (uint8_t) sig;
        switch (sig) {
        case SIGWINCH:
                copy_size(run);
                return;
        case SIGCONT:
                if (run->master >= 0) {
                        set_raw(run);
                        copy_size(run);
                }
                return;
        case SIGUSR1:
        case SIGUSR2:
                break;
        default:
                if (run->asking || run->session->terminal || run->session->detach || run->last_signal == sig)
                        leave(run, 128 + sig);
                run->last_signal = sig;
        }
        (void) send(run->status, &number, ENTER_SIGNAL_SIZE, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void look_for_keys(struct run *run, const struct flow *f) {
        uint64_t now = now_usec();

        for (size_t i = f->begin; run->raw && i < f->end; i++)
                if (hot_keys_feed(&run->keys, (uint8_t) f->data[i], now) == HOT_KEY_KILL)
                        leave(run, 128 + SIGHUP);
}

/* ---- the loop ---- */

static void fill(struct run *run, int i) {
        struct flow *f = run->flows[i];
        int n = flow_fill(f);

        if (n > 0 && i == FLOW_IN && run->master >= 0)
                look_for_keys(run, f);
        if (n > 0 || n == -EAGAIN)
                return;
        if (i == FLOW_OUT && run->master >= 0) {
                run->hung_up = true; /* -EIO: nobody has it open (pty(7)), until somebody does again */
                return;
        }
        flow_close_end(&f->from);
        if (i == FLOW_IN && run->master >= 0) { /* input that is no terminal ends like one */
                f->data[0] = END_OF_INPUT;
                f->begin = 0;
                f->end = 1;
        } else
                flow_close_end(&f->to);
}

/* A job in the background that reads from its terminal is stopped, also when it would only pass on what it read. */
static bool may_read(const struct run *run, int i) {
        return i != FLOW_IN || !run->typed_in || terminal_is_foreground(STDIN_FILENO);
}

static int poll_slots(struct run *run, struct pollfd *slots) {
        int timeout = run->hung_up ? REOPEN_MSEC : -1;

        for (int i = 0; i < _FLOWS; i++) {
                const struct flow *f = run->flows[i];

                slots[i] = (struct pollfd){ .fd = -1 };
                if (!f)
                        continue;
                if (!flow_is_empty(f))
                        slots[i] = (struct pollfd){ .fd = f->to, .events = POLLOUT };
                else if (!may_read(run, i))
                        timeout = timeout < 0 ? BACKGROUND_MSEC : timeout;
                else if (!(i == FLOW_OUT && run->hung_up))
                        slots[i] = (struct pollfd){ .fd = f->from, .events = POLLIN };
        }
        slots[_FLOWS] = (struct pollfd){ .fd = run->status, .events = POLLIN };
        slots[_FLOWS + 1] = (struct pollfd){ .fd = run->signals, .events = POLLIN };
        return timeout;
}

static void turn(struct run *run) {
        struct pollfd slots[_FLOWS + 2];
        int timeout = poll_slots(run, slots);

        if (poll(slots, ELEMENTS(slots), timeout) < 0)
                return;
        run->hung_up = false;
        for (int i = 0; i < _FLOWS; i++)
                if (slots[i].revents && flow_is_empty(run->flows[i]))
                        fill(run, i);
                else if (slots[i].revents)
                        flow_empty(run->flows[i]);
        if (slots[_FLOWS + 1].revents)
                take_signal(run);
        if (slots[_FLOWS].revents && !run->left)
                read_status(run);
}

static bool drain_is_over(const struct run *run) {
        struct signalfd_siginfo si;

        return read(run->signals, &si, sizeof(si)) == (ssize_t) sizeof(si) && si.ssi_signo != SIGWINCH &&
               si.ssi_signo != SIGCONT;
}

/* The command has ended: what it wrote is there, and is all there is to wait for, whoever may still have the other end and write. */
static void drain(struct run *run, struct flow *f) {
        size_t left = f ? flow_waiting(f) : 0;

        while (f && f->to >= 0 && !run->left) {
                struct pollfd slots[2] = { { .fd = f->to, .events = POLLOUT },
                                           { .fd = run->signals, .events = POLLIN } };

                if (flow_is_empty(f)) {
                        int n = f->from >= 0 && left > 0 ? flow_fill(f) : 0;

                        if (n <= 0)
                                return;
                        left -= left < (size_t) n ? left : (size_t) n;
                }
                if (poll(slots, 2, -1) < 0)
                        continue;
                if (!slots[1].revents)
                        flow_empty(f);
                else if (drain_is_over(run))
                        return;
        }
}

static int prepare(struct run *run) {
        int sockets[2], r = 0;

        if (run->session->terminal)
                find_size(run->session);
        else if (!run->session->detach)
                r = prepare_stdio(run);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        run->status = sockets[0];
        run->session->fds[SESSION_FD_STATUS] = sockets[1];
        run->signals = open_signals();
        return run->signals;
}

/* Ours would keep a pipe from ending. */
static void give_away(struct session *s) {
        for (int i = 0; i < _SESSION_FD_MAX; i++) {
                if (s->fds[i] >= 0)
                        close(s->fds[i]);
                s->fds[i] = -EBADF;
        }
}

static void done(struct run *run) {
        if (run->raw)
                (void) terminal_restore(STDIN_FILENO, &run->modes);
        if (run->left && run->raw)
                fputs("\nThe session was left.\n", stderr);
        for (int i = 0; i < _FLOWS; i++)
                flow_free(run->flows[i]);
        if (run->status >= 0)
                close(run->status);
        if (run->signals >= 0)
                close(run->signals);
}

/* Somebody may have to type a password first, or may have enough of that. Whoever has the answer already means the command. */
static int await_answer(struct run *run, const struct options *o, struct varlink_client *c) {
        struct pollfd slots[] = { { .fd = varlink_client_fd(c), .events = POLLIN },
                                  { .fd = run->signals, .events = POLLIN } };
        int r;

        while ((r = session_answer(o, run->name, c)) == -EAGAIN) {
                if (slots[1].revents)
                        take_signal(run);
                if (run->left)
                        return run->exit_status;
                r = poll(slots, ELEMENTS(slots), answer_timeout_msec(o));
                if (r < 0)
                        slots[1].revents = 0;
                if (r == 0) {
                        (void) fail_connection(o->run, -ETIMEDOUT);
                        return EXIT_SESSION;
                }
        }
        return r;
}

static int begin(struct run *run, const struct options *o) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        int r;

        run->asking = answer_timeout_msec(o) < 0;
        r = session_start(o, run->name, run->session, &c);
        give_away(run->session);
        if (r == EXIT_SUCCESS && c)
                r = await_answer(run, o, c);
        run->asking = false;
        return r;
}

int session_run(const struct options *o, const char *name, struct session *s) {
        AUTO(done)
        struct run run = { .name = name, .session = s, .status = -EBADF, .signals = -EBADF, .master = -EBADF };
        int r = prepare(&run);

        if (r < 0) {
                fail("Cannot prepare to run a command: %s.", strerror(-r));
                return EXIT_SESSION;
        }
        r = begin(&run, o);
        if (r != EXIT_SUCCESS)
                return r;
        run.typed_in = isatty(STDIN_FILENO);
        while (!run.ended)
                turn(&run);
        drain(&run, run.flows[FLOW_OUT]);
        drain(&run, run.flows[FLOW_ERR]);
        return run.exit_status;
}
