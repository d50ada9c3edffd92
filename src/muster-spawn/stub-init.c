/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that was not written to be PID 1 neither reaps orphans nor gets signals that it has no handler for; so it
 * runs as PID 2, and this loop is its init. It ends like any init does: by exiting with the payload's status, or,
 * when told to power off or reboot, by reboot(2), which in a PID namespace kills its PID 1 with SIGINT or SIGHUP as
 * the parent sees it. */
#include "muster-spawn/stub-init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/signame.h"
#include "sys/bare-call.h"
#include "sys/clone-beside.h"
#include "sys/process-title.h"

#define STUB_TITLE "(muster-stub)"
#define PATIENCE_SEC 90
#define PAYLOAD_STACK 16384
#define EXIT_REBOOT 133 /* where reboot(2) is not allowed */

enum wish { WISH_NONE, WISH_POWER_OFF, WISH_REBOOT };

/* What init systems do on these signals (systemd(1), "Signals"): real-time numbers are known only at run time. */
static enum wish wish_of(int sig) {
        static const struct {
                int above_rtmin;
                enum wish wish;
        } wishes[] = {
                { 3, WISH_POWER_OFF },  /* halt */
                { 4, WISH_POWER_OFF },  /* power off */
                { 5, WISH_REBOOT },     /* reboot */
                { 6, WISH_REBOOT },     /* kexec */
                { 13, WISH_POWER_OFF }, /* the same four, at once */
                { 14, WISH_POWER_OFF }, { 15, WISH_REBOOT }, { 16, WISH_REBOOT },
        };

        if (sig == SIGINT)
                return WISH_REBOOT; /* Ctrl-Alt-Del */
        for (unsigned i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
                if (sig == SIGNAL_RT_MIN + wishes[i].above_rtmin)
                        return wishes[i].wish;
        return WISH_NONE;
}

static time_t now_sec(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec;
}

/* True when the payload is among the dead. */
static bool reap(pid_t payload, int *ret_status) {
        bool found = false;
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR))
                if (pid == payload) {
                        *ret_status = status;
                        found = true;
                }
        return found;
}

/* Shells do not end on SIGTERM, but on SIGHUP; stopped programs do not end on either. */
static void ask_to_end(pid_t payload) {
        (void) kill(payload, SIGTERM);
        (void) kill(payload, SIGCONT);
        (void) kill(payload, SIGHUP);
}

static _Noreturn void leave(enum wish wish) {
        /* In the host's PID namespace this would be the host's end. */
        if (getpid() == 1)
                (void) reboot(wish == WISH_REBOOT ? RB_AUTOBOOT : RB_POWER_OFF);
        _exit(wish == WISH_REBOOT ? EXIT_REBOOT : 0);
}

static _Noreturn void serve(pid_t payload, const sigset_t *all) {
        enum wish wish = WISH_NONE;
        time_t deadline = 0;
        int status = 0, sig;

        for (;;) {
                struct timespec left = { 0 };

                if (reap(payload, &status)) {
                        if (wish != WISH_NONE)
                                leave(wish);
                        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 255);
                }
                if (wish != WISH_NONE) {
                        left.tv_sec = deadline - now_sec();
                        if (left.tv_sec <= 0)
                                leave(wish);
                }
                sig = sigtimedwait(all, NULL, wish != WISH_NONE ? &left : NULL);
                if (sig < 0 || wish_of(sig) == WISH_NONE)
                        continue;
                if (wish == WISH_NONE) {
                        deadline = now_sec() + PATIENCE_SEC;
                        ask_to_end(payload);
                }
                wish = wish_of(sig); /* the last word counts, the first one's deadline stays */
        }
}

static void close_all(void) {
        struct rlimit limit = { 0 };

        if (syscall(SYS_close_range, 0U, ~0U, 0U) == 0)
                return;
        (void) getrlimit(RLIMIT_NOFILE, &limit);
        for (int fd = 0; fd < (limit.rlim_cur > INT_MAX ? INT_MAX : (int) limit.rlim_cur); fd++)
                close(fd);
}

/* What PID 2 begins with. */
struct second {
        const void *mask;
        int hidden[2]; /* a pipe, for PID 1 to close */
        void (*payload)(void *userdata);
        void *userdata;
};

static void second(void *userdata) {
        const struct second *s = userdata;
        char byte;

        BARE(close, s->hidden[1]);
        while (BARE(read, s->hidden[0], &byte, 1) == -EINTR) /* until PID 1 has closed its end, by closing everything */
                ;
        BARE(close, s->hidden[0]);
        BARE(setsid);
        BARE(rt_sigprocmask, SIG_SETMASK, s->mask, NULL, _NSIG / 8);
        s->payload(s->userdata);
}

int stub_init(const void *mask, const char *environment, unsigned long size, void (*payload)(void *userdata),
              void *userdata) {
        struct second s = { .mask = mask, .payload = payload, .userdata = userdata };
        struct clone_args args = { .exit_signal = SIGCHLD };
        _Alignas(16) char stack[PAYLOAD_STACK];
        struct process_areas areas;
        sigset_t all, old;
        pid_t pid;
        int r;

        r = process_areas_find(&areas);
        if (r < 0)
                return r;
        if (pipe2(s.hidden, O_CLOEXEC) < 0)
                return -errno;
        memset(&all, 0xff, sizeof(all)); /* also those that a C library keeps for itself: it is not there any more */
        sigprocmask(SIG_SETMASK, &all, &old);
        (void) signal(SIGCHLD, SIG_DFL); /* ignored, it would take the payload's status away */
        pid = clone_beside(&args, stack, sizeof(stack), second, &s);
        if (pid < 0) {
                sigprocmask(SIG_SETMASK, &old, NULL);
                close(s.hidden[0]);
                close(s.hidden[1]);
                return pid;
        }
        (void) chdir("/"); /* keeps no directory of the container busy */
        process_hide(&areas, STUB_TITLE, environment, size);
        close_all();
        serve(pid, &all);
}
