/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* It has nothing of any machine, and waits for a packet from us: when our end is closed, by whatever becomes of us, it ends. */
#include "backend/enter-spare.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "sys/pidfd.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define IDLE_USEC UINT64_C(10000000) /* for so long one waits to be used */

struct enter_spare {
        sd_event *event;
        const char *path;
        int socket;            /* its other end; -EBADF: it is to end */
        struct pidref process; /* not set: there is none */
        sd_event_source *exit, *timer;
};

static void forget(struct enter_spare *x) {
        x->exit = sd_event_source_disable_unref(x->exit);
        pidref_done(&x->process);
        x->process = PIDREF_EMPTY;
        if (x->socket >= 0)
                close(STEAL_FD(x->socket));
}

static int on_exit_of_process(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        siginfo_t info = { .si_pid = 0 };

        if (waitid((idtype_t) P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid != 0)
                forget(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct enter_spare *x = userdata;

        if (x->socket >= 0)
                close(STEAL_FD(x->socket)); /* on_exit_of_process() does the rest */
        return 0;
}

static int start(struct enter_spare *x) {
        int sockets[2], r;
        pid_t pid = 0;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        x->socket = sockets[0];
        r = spawn_enter_spare(x->path, sockets[1], &pid);
        close(sockets[1]);
        if (r >= 0)
                r = pidref_open(pid, &x->process);
        if (r >= 0)
                r = sd_event_add_io(x->event, &x->exit, x->process.fd, EPOLLIN, on_exit_of_process, x);
        if (r < 0)
                forget(x);
        return r;
}

void enter_spare_want(struct enter_spare *x) {
        int r = pidref_is_set(&x->process) ? 0 : start(x);

        if (r < 0) {
                log_debug_errno(r, "Cannot start %s ahead of time", x->path);
                return;
        }
        sd_event_source_set_time_relative(x->timer, IDLE_USEC);
        sd_event_source_set_enabled(x->timer, SD_EVENT_ONESHOT);
}

bool enter_spare_use(struct enter_spare *x, const struct spawn_enter *s, pid_t *ret) {
        pid_t pid = x->process.pid;

        if (x->socket < 0 || spawn_enter_order(x->socket, s) < 0)
                return false;
        forget(x);
        sd_event_source_set_enabled(x->timer, SD_EVENT_OFF);
        *ret = pid;
        return true;
}

int enter_spare_new(sd_event *e, const char *path, struct enter_spare **ret) {
        AUTO(enter_spare_freep) struct enter_spare *x = calloc(1, sizeof(*x));
        int r;

        if (!x)
                return -ENOMEM;
        x->event = sd_event_ref(e);
        x->path = path;
        x->socket = -EBADF;
        x->process = PIDREF_EMPTY;
        r = sd_event_add_time(e, &x->timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_timer, x);
        if (r >= 0)
                r = sd_event_source_set_enabled(x->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = STEAL(x);
        return 0;
}

void enter_spare_free(struct enter_spare *x) {
        if (!x)
                return;
        forget(x);
        sd_event_source_disable_unref(x->timer);
        sd_event_unref(x->event);
        free(x);
}
