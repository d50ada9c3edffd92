/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that was not written to be PID 1 neither reaps orphans nor gets signals that it has no handler for; so it runs as PID 2,
 * and PID 1 is its init. */
#include "muster-spawn/stub-init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "muster-spawn/stub-serve.h"
#include "sys/bare-call.h"
#include "sys/clone-beside.h"
#include "sys/process-title.h"

#define PAYLOAD_STACK 16384

/* What PID 2 begins with. */
struct second {
        const struct stub *stub;
        int hidden[2]; /* a pipe, whose second end PID 1 closes last */
};

static void second(void *userdata) {
        const struct second *s = userdata;
        char byte;

        BARE(close, s->hidden[1]);
        while (BARE(read, s->hidden[0], &byte, 1) ==
               -EINTR) /* until PID 1 has closed its end, and with that everything */
                ;
        BARE(close, s->hidden[0]);
        BARE(setsid);
        BARE(rt_sigprocmask, SIG_SETMASK, s->stub->mask, NULL, _NSIG / 8);
        s->stub->payload(s->stub->data);
}

/* All signals, also those that a C library keeps for itself: it is not there any more. Ignored, SIGCHLD would take the payload's
 * status away. */
static int prepare_signals(void) {
        static const uint64_t all[_NSIG / 64] = { UINT64_MAX };
        static const unsigned long by_default[4]; /* a struct sigaction of the kernel's: SIG_DFL, no flags */
        int r = BARE(rt_sigprocmask, SIG_SETMASK, all, NULL, _NSIG / 8);

        return r < 0 ? r : BARE(rt_sigaction, SIGCHLD, by_default, NULL, _NSIG / 8);
}

/* All but one descriptor. flags: those of close_range(2). */
static int close_but(int fd, unsigned flags) {
        int r = fd > 0 ? BARE(close_range, 0, fd - 1, flags) : 0;

        return r < 0 ? r : BARE(close_range, fd + 1, ~0U, flags);
}

/* Its end of the pipe is closed by the program, when there is nothing any more by which PID 2 could look into what we were. */
static int become_program(const struct stub *s, int last) {
        const char *title = STUB_TITLE, *empty = "", *environment[STUB_VARIABLES + 1] = { NULL };
        const char *argv[] = { title, NULL };
        size_t n = 0;
        int r;

        r = close_but(last, CLOSE_RANGE_CLOEXEC);
        if (r < 0)
                return r;
        for (const char *e = s->environment; n < STUB_VARIABLES && e < s->environment + s->size; e += strlen(e) + 1)
                environment[n++] = e;
        return BARE(execveat, s->program, empty, argv, environment, AT_EMPTY_PATH);
}

int stub_init(const struct stub *stub) {
        struct second s = { .stub = stub };
        struct clone_args args = { .exit_signal = SIGCHLD };
        _Alignas(16) char stack[PAYLOAD_STACK];
        struct process_areas areas;
        pid_t pid;
        int r = 0;

        if (stub->program < 0)
                r = process_areas_find(&areas);
        if (r >= 0)
                r = BARE(pipe2, s.hidden, 0);
        if (r >= 0)
                r = prepare_signals();
        if (r < 0)
                return r;
        pid = clone_beside(&args, stack, sizeof(stack), second, &s);
        if (pid < 0)
                return pid;
        BARE(chdir, "/"); /* keeps no directory of the container busy */
        if (stub->program < 0) {
                process_hide(&areas, STUB_TITLE, stub->environment, stub->size);
                (void) close_but(s.hidden[1], 0);
                stub_serve(pid);
        }
        r = pid == STUB_PAYLOAD ? become_program(stub, s.hidden[1]) : -EPROTO;
        BARE(kill, pid, SIGKILL); /* before it finds the pipe closed, or what is on our stack changed */
        BARE(wait4, pid, NULL, 0, NULL);
        return r;
}
