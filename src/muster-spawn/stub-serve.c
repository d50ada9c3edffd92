/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* It ends like any init does: by exiting with the payload's status, or, when told to power off or reboot, by reboot(2), which in a PID
 * namespace kills its PID 1 with SIGINT or SIGHUP as the parent sees it. */
#include "muster-spawn/stub-serve.h"

#include <limits.h>
#include <linux/reboot.h>
#include <linux/time_types.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/signame.h"
#include "sys/bare-call.h"
#include "sys/read-only-self.h"

#define PATIENCE_SEC 90
#define EXIT_REBOOT 133 /* where reboot(2) is not allowed */

/* With 64 bits of time on every processor: time(2), "Notes". */
#ifdef SYS_clock_gettime64
#define SYS_get_time SYS_clock_gettime64
#define SYS_wait_for_signal SYS_rt_sigtimedwait_time64
#else
#define SYS_get_time SYS_clock_gettime
#define SYS_wait_for_signal SYS_rt_sigtimedwait
#endif

enum wish { WISH_NONE, WISH_POWER_OFF, WISH_REBOOT };

/* What init systems do on these signals (systemd(1), "Signals"). */
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

static int64_t now_sec(void) {
        struct __kernel_timespec now;

        return BARE(get_time, CLOCK_MONOTONIC, &now) < 0 ? 0 : now.tv_sec;
}

/* True when the payload is among the dead. */
static bool reap(pid_t payload, int *ret_status) {
        bool found = false;
        int status, pid;

        while ((pid = BARE(wait4, -1, &status, WNOHANG, NULL)) > 0 || pid == -EINTR)
                if (pid == payload) {
                        *ret_status = status;
                        found = true;
                }
        return found;
}

/* Shells do not end on SIGTERM, but on SIGHUP; stopped programs do not end on either. */
static void ask_to_end(pid_t payload) {
        (void) BARE(kill, payload, SIGTERM);
        (void) BARE(kill, payload, SIGCONT);
        (void) BARE(kill, payload, SIGHUP);
}

static _Noreturn void leave(enum wish wish) {
        /* In the host's PID namespace this would be the host's end. */
        if (BARE(getpid) == 1)
                (void) BARE(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
                            wish == WISH_REBOOT ? LINUX_REBOOT_CMD_RESTART : LINUX_REBOOT_CMD_POWER_OFF, NULL);
        bare_exit(wish == WISH_REBOOT ? EXIT_REBOOT : 0);
}

static void close_all(void) {
        struct rlimit64 limit = { 0 };

        if (BARE(close_range, 0, ~0U, 0) == 0)
                return;
        BARE(prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
        for (int fd = 0; fd < (limit.rlim_cur > INT_MAX ? INT_MAX : (int) limit.rlim_cur); fd++)
                BARE(close, fd);
}

_Noreturn void stub_serve(pid_t payload) {
        static const uint64_t all[_NSIG / 64] = { UINT64_MAX };
        enum wish wish = WISH_NONE;
        int64_t deadline = 0;
        int status = 0, sig;

        close_all();
        for (;;) {
                struct __kernel_timespec left = { 0 };

                if (reap(payload, &status)) {
                        if (wish != WISH_NONE)
                                leave(wish);
                        bare_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 255);
                }
                if (wish != WISH_NONE) {
                        left.tv_sec = deadline - now_sec();
                        if (left.tv_sec <= 0)
                                leave(wish);
                }
                sig = BARE(wait_for_signal, all, NULL, wish != WISH_NONE ? &left : NULL, _NSIG / 8);
                if (sig < 0 || wish_of(sig) == WISH_NONE)
                        continue;
                if (wish == WISH_NONE) {
                        deadline = now_sec() + PATIENCE_SEC;
                        ask_to_end(payload);
                }
                wish = wish_of(sig); /* the last word counts, the first one's deadline stays */
        }
}

/* A function of the C library's may be one of several that it has not chosen from yet. */
static bool is_title(const char *s) {
        const char *title = STUB_TITLE;

        while (*s && *s == *title) {
                s++;
                title++;
        }
        return *s == *title;
}

void start_bare(char *const argv[]) {
        if (BARE(getpid) != 1 || !argv[0] || !is_title(argv[0]))
                return;
        BARE(prctl, PR_SET_NAME, argv[0]);
        stub_serve(STUB_PAYLOAD);
}
