/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One poll(2) over the pidfd of the payload, a signalfd, the notification socket and the console. A payload without
 * console that nobody disturbs costs one poll(2) and one waitid(2), after a second one more poll(2). */
#include "muster-spawn/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/signame.h"
#include "codec/proc-text.h"
#include "muster-spawn/console.h"
#include "muster-spawn/interrupt.h"
#include "muster-spawn/notify-relay.h"
#include "sys/procfs.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define EXIT_REBOOT 133 /* what service managers take for the wish to be started again */
#define SERVICE_MANAGER_PID 1
#define SETTLE_MSEC 1000
#define UNHEARD_MSEC 100 /* how often a payload is looked at that does not listen yet */
#define UNHEARD_LOOKS 2
#define LAST_WORDS_MAX 64U /* datagrams that are read after the end */

enum { POLL_PAYLOAD, POLL_SIGNALS, POLL_NOTIFY, POLL_CONSOLE, _POLL_MAX = POLL_CONSOLE + _CONSOLE_POLL_MAX };

struct watch {
        const struct supervised *s;
        struct console console;
        struct notify_relay notify;
        int signals;
        bool stopping, killed; /* asked to end; sent SIGKILL */
        int unheard;           /* asked to end, but not listening yet: so often it must be seen to, 0: it has heard */
        int64_t look_at;       /* CLOCK_MONOTONIC in ms: when that is seen to next */
        bool ended;
        bool interrupted;   /* while the last output is written */
        int unsettled_msec; /* still to be waited; -1: no more */
        siginfo_t end;
};

/* "SIGTERM", "SIGRTMIN+4". */
static const char *signal_text(int sig, char buffer[static 32]) {
        const char *name = signal_to_string(sig);

        if (name)
                return name;
        (void) snprintf(buffer, 32, sig > SIGNAL_RT_MIN ? "SIGRTMIN+%d" : "SIGRTMIN", sig - SIGNAL_RT_MIN);
        return buffer;
}

static void signals_watched(sigset_t *ret) {
        static const int watched[] = { SIGTERM, SIGINT, SIGHUP, SIGURG, SIGWINCH, SIGCONT };

        sigemptyset(ret);
        for (size_t i = 0; i < ELEMENTS(watched); i++)
                sigaddset(ret, watched[i]);
}

int supervise_signals(void *ret_payload) {
        struct sigaction hangup;
        sigset_t set;

        signals_watched(&set);
        sigaddset(&set, SIGPIPE); /* of a standard output that nobody reads */
        if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
                sigdelset(&set, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        (void) signal(SIGCHLD, SIG_DFL); /* ignored, it would take the payload's status away (waitid(2)) */
        sigemptyset(ret_payload);
        return 0;
}

/* Our terminal is raw: a line would begin where the last one ended. */
__attribute__((format(printf, 2, 3))) static void say(struct watch *w, const char *format, ...) {
        char text[256];
        va_list ap;

        if (w->s->quiet)
                return;
        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        console_pause(&w->console);
        log_notice("%s", text);
        console_resume(&w->console);
}

/* What keeps the console from being logged: nothing else changes by it. */
static void say_trouble(struct watch *w) {
        const char *text;

        while (w->s->log && (text = console_log_trouble(w->s->log))) {
                console_pause(&w->console);
                log_warning("%s", text);
                console_resume(&w->console);
        }
}

static void send_signal(struct watch *w, int sig) {
        char buffer[32];

        /* -ESRCH: it ends right now, which is what all of them are for. */
        if (syscall(SYS_pidfd_send_signal, w->s->pidfd, sig, NULL, 0U) < 0 && errno != ESRCH)
                log_error_errno(-errno, "Cannot send %s to machine '%s'", signal_text(sig, buffer), w->s->machine);
}

static void kill_now(struct watch *w, const char *why) {
        say(w, "Killing machine '%s': %s", w->s->machine, why);
        w->killed = true;
        send_signal(w, SIGKILL);
}

/* The first argument of the call is where the set is. Whoever does not let us look has heard. */
static bool waits_for(pid_t pid, uint64_t set_at, int sig) {
        AUTO_CLOSE int fd = -EBADF;
        char path[64];
        uint64_t set;

        (void) snprintf(path, sizeof(path), "/proc/%d/mem", (int) pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 || pread(fd, &set, sizeof(set), (off_t) set_at) != (ssize_t) sizeof(set) ||
               (set >> (sig - 1) & 1);
}

/* In sigwaitinfo(2): the kernel lets through meanwhile what the process keeps blocked, so that it cannot be told from the masks. */
static bool is_in_sigwait(pid_t pid, int sig) {
        static const uint64_t numbers[] = { SYS_rt_sigtimedwait, 177, 421 }; /* the others: of programs for 32 bits */
        AUTO_FREE char *text = NULL;
        uint64_t number, argument;
        size_t size;

        if (proc_read(pid, "syscall", &text, &size) < 0 || proc_syscall_decode(text, size, &number, &argument) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                if (number == numbers[i])
                        return waits_for(pid, argument, sig);
        return false;
}

/* The first process of a pid namespace loses what it has no handler for (pid_namespaces(7)), and an init has none before it has set
 * itself up. */
static bool hears(const struct watch *w, int sig) {
        AUTO_FREE char *text = NULL;
        size_t size;

        return proc_read(w->s->pid, "status", &text, &size) < 0 || proc_status_hears(text, size, sig) != 0 ||
               is_in_sigwait(w->s->pid, sig);
}

static int64_t now_msec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pass_stop_on(struct watch *w) {
        bool heard = hears(w, w->s->kill_signal);

        send_signal(w, w->s->kill_signal);
        w->unheard = heard ? 0 : UNHEARD_LOOKS;
        w->look_at = now_msec() + UNHEARD_MSEC;
}

/* Once more when it has set itself up. Seen twice, so that it was not on its way from one wait to the next. */
static void pass_stop_on_again(struct watch *w) {
        int64_t now = now_msec();

        if (now < w->look_at)
                return;
        w->look_at = now + UNHEARD_MSEC;
        if (!hears(w, w->s->kill_signal))
                w->unheard = UNHEARD_LOOKS;
        else if (--w->unheard == 0)
                send_signal(w, w->s->kill_signal);
}

static void ask_to_stop(struct watch *w, int received) {
        char buffer[2][32];

        if (w->s->kill_signal == 0)
                kill_now(w, "no signal is set that would ask it to end (--kill-signal=)");
        else if (w->stopping)
                kill_now(w, "asked to end for the second time");
        else {
                w->stopping = true;
                say(w, "Got %s, asking machine '%s' to end by %s; once more kills it", signal_text(received, buffer[0]),
                    w->s->machine, signal_text(w->s->kill_signal, buffer[1]));
                pass_stop_on(w);
                notify_relay_stopping(&w->notify);
        }
}

static void read_signal(struct watch *w) {
        struct signalfd_siginfo si;

        if (read(w->signals, &si, sizeof(si)) != (ssize_t) sizeof(si))
                return;
        switch (si.ssi_signo) {
        case SIGWINCH:
                console_resize(&w->console);
                break;
        case SIGCONT:
                console_continue(&w->console);
                break;
        case SIGURG: /* the stop of our scope unit (scope-unit.c) */
                if (si.ssi_pid != SERVICE_MANAGER_PID)
                        break;
                __attribute__((fallthrough));
        default: /* SIGTERM, SIGINT, SIGHUP */
                if (w->ended)
                        w->interrupted = true;
                else
                        ask_to_stop(w, (int) si.ssi_signo);
        }
}

static void obey(struct watch *w, enum hot_key key) {
        switch (key) {
        case HOT_KEY_NONE:
                break;
        case HOT_KEY_KILL:
                kill_now(w, "^] was typed three times");
                break;
        case HOT_KEY_REBOOT:
                say(w, "Asking machine '%s' to reboot", w->s->machine);
                send_signal(w, SIGNAL_RT_MIN + 5);
                break;
        case HOT_KEY_POWER_OFF:
                say(w, "Asking machine '%s' to power off", w->s->machine);
                send_signal(w, SIGNAL_RT_MIN + 4);
                break;
        case HOT_KEY_UNKNOWN:
                say(w, "^] ^] goes with r (reboot) and p (power off), and a third ^] kills machine '%s'",
                    w->s->machine);
                break;
        }
}

/* options: WNOWAIT leaves it to be reaped. __WALL: also when it was cloned to end without SIGCHLD. */
static int await_end(struct watch *w, int options) {
        while (waitid((idtype_t) P_PIDFD, (id_t) w->s->pidfd, &w->end, WEXITED | __WALL | options) < 0)
                if (errno != EINTR)
                        return -errno;
        w->ended = true;
        return 0;
}

static int handle(struct watch *w, const struct pollfd slots[static _POLL_MAX]) {
        if (slots[POLL_SIGNALS].revents)
                read_signal(w);
        if (slots[POLL_NOTIFY].revents) {
                unsigned left = slots[POLL_PAYLOAD].revents ? LAST_WORDS_MAX : 1;

                while (left-- > 0 && notify_relay_read(&w->notify))
                        ;
        }
        obey(w, console_move(&w->console, slots + POLL_CONSOLE));
        say_trouble(w);
        return slots[POLL_PAYLOAD].revents ? await_end(w, w->s->ended ? WNOWAIT : 0) : 0;
}

/* What poll(2) has waited for in vain, which does without a clock. */
static void settle(struct watch *w, int waited_msec) {
        if (w->unsettled_msec < 0)
                return;
        w->unsettled_msec -= waited_msec;
        if (w->unsettled_msec > 0)
                return;
        w->unsettled_msec = -1;
        w->s->settled(w->s->data);
}

static int log_timeout(const struct watch *w) {
        return w->s->log ? console_log_timeout(w->s->log) : -1;
}

/* Of two timeouts, of which -1 is none. */
static int shorter(int a, int b) {
        return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int loop(struct watch *w) {
        while (!w->interrupted && (!w->ended || console_drain(&w->console, !w->s->quiet))) {
                struct pollfd slots[_POLL_MAX] = {
                        [POLL_PAYLOAD] = { .fd = w->ended ? -1 : w->s->pidfd, .events = POLLIN },
                        [POLL_SIGNALS] = { .fd = w->signals, .events = POLLIN },
                        [POLL_NOTIFY] = { .fd = w->ended ? -1 : w->notify.socket, .events = POLLIN },
                };
                int timeout = shorter(console_poll(&w->console, slots + POLL_CONSOLE), log_timeout(w)), r;

                timeout = shorter(shorter(timeout, w->unsettled_msec), w->unheard > 0 && !w->ended ? UNHEARD_MSEC : -1);
                r = poll(slots, _POLL_MAX, timeout);
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r == 0)
                        settle(w, timeout);
                if (w->unheard > 0 && !w->ended)
                        pass_stop_on_again(w);
                if (w->s->log)
                        console_log_idle(w->s->log);
                if (r < 0)
                        continue;
                r = handle(w, slots);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Whoever wants it to end does not want it to begin again: a reboot that was under way ends as well. */
static enum payload_end reboot_of(const struct watch *w) {
        if (w->killed)
                return PAYLOAD_KILLED;
        return w->stopping || w->interrupted ? PAYLOAD_POWER_OFF : PAYLOAD_REBOOT;
}

static enum payload_end end_of(const struct watch *w) {
        if (w->end.si_code == CLD_EXITED)
                return PAYLOAD_EXITED;
        if (w->killed && w->end.si_status == SIGKILL)
                return PAYLOAD_KILLED;
        if (w->end.si_code == CLD_KILLED && w->end.si_status == SIGINT)
                return PAYLOAD_POWER_OFF;
        if (w->end.si_code == CLD_KILLED && w->end.si_status == SIGHUP)
                return reboot_of(w);
        return PAYLOAD_SIGNALED;
}

static void log_end(struct watch *w) {
        static const char *const words[] = {
                [PAYLOAD_POWER_OFF] = "power-off", [PAYLOAD_REBOOT] = "reboot", [PAYLOAD_KILLED] = "killed"
        };
        enum payload_end end = end_of(w);
        char text[64], buffer[32];

        if (end == PAYLOAD_EXITED)
                (void) snprintf(text, sizeof(text), "exited status=%d", w->end.si_status);
        else if (end == PAYLOAD_SIGNALED)
                (void) snprintf(text, sizeof(text), "signaled signal=%s", signal_text(w->end.si_status, buffer));
        else
                (void) snprintf(text, sizeof(text), "%s", words[end]);
        console_log_end(w->s->log, text);
        say_trouble(w);
}

bool supervise_stop_waits(void) {
        const struct timespec now = { 0 };
        siginfo_t info;
        sigset_t set;

        if (stop_wanted(NULL))
                return true;
        sigemptyset(&set);
        sigaddset(&set, SIGURG);
        return sigtimedwait(&set, &info, &now) == SIGURG && info.si_pid == SERVICE_MANAGER_PID;
}

int supervise(const struct supervised *s, enum payload_end *ret, int *ret_status) {
        struct watch w;
        AUTO_CLOSE int signals = -EBADF;
        sigset_t set;
        int r;

        signals_watched(&set);
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals < 0)
                return -errno;
        w.s = s;
        w.signals = signals;
        w.stopping = w.killed = w.ended = w.interrupted = false;
        w.unheard = 0;
        w.unsettled_msec = s->settled ? SETTLE_MSEC : -1;
        notify_relay_start(&w.notify, s->notify, s->pid);
        console_start(&w.console, s->console, s->terminal, s->log, s->look);
        notify_relay_started(&w.notify, !s->notify_ready);
        r = loop(&w);
        if (r >= 0 && s->log)
                log_end(&w);
        console_stop(&w.console, !s->quiet);
        notify_relay_stop(&w.notify);
        if (r >= 0 && s->ended) {
                s->ended(s->data);
                r = await_end(&w, 0);
        }
        if (r < 0)
                return r;
        *ret = end_of(&w);
        *ret_status = w.end.si_status;
        return 0;
}

void payload_end_report(const struct supervised *s, enum payload_end end, int status) {
        enum log_level level = s->quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE;
        char buffer[32];

        switch (end) {
        case PAYLOAD_EXITED:
                if (status == 0)
                        log_full(LOG_LEVEL_DEBUG, 0, NULL, "Machine '%s' has ended", s->machine);
                else
                        log_full(level, 0, NULL, "Machine '%s' has ended with exit status %d", s->machine, status);
                break;
        case PAYLOAD_SIGNALED:
                log_error("Machine '%s' was ended by %s", s->machine, signal_text(status, buffer));
                break;
        case PAYLOAD_POWER_OFF:
                log_full(level, 0, NULL, "Machine '%s' has been shut down", s->machine);
                break;
        case PAYLOAD_REBOOT:
                log_full(level, 0, NULL, "Machine '%s' is being rebooted", s->machine);
                break;
        case PAYLOAD_KILLED:
                log_full(level, 0, NULL, "Machine '%s' has been killed", s->machine);
                break;
        }
}

int payload_exit_status(enum payload_end end, int status) {
        switch (end) {
        case PAYLOAD_EXITED:
                return status == EXIT_REBOOT ? 1 : status;
        case PAYLOAD_POWER_OFF:
                return 0;
        case PAYLOAD_REBOOT:
                return EXIT_REBOOT;
        case PAYLOAD_SIGNALED:
        case PAYLOAD_KILLED:
                break;
        }
        return 1;
}

void supervise_say_goodbye(int exit_status) {
        struct notify_relay n;

        notify_relay_start(&n, -EBADF, 0);
        notify_relay_goodbye(&n, exit_status == EXIT_REBOOT, exit_status);
        notify_relay_stop(&n);
}
