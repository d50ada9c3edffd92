/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing of what is copied comes by here. A process is told by a socket that nobody waits for it any more, and then takes back what it
 * did; it counts until it has ended. */
#include "backend/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "codec/transfer-protocol.h"
#include "sys/pidfd.h"
#include "sys/spawn-enter.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct running {
        struct transfers *transfers;
        struct pidref process;
        int status; /* where it reports to; -EBADF: to the client */
        bool concluded;
        struct transfer_report last;
        sd_event_source *exit, *reports;
        transferred_fn done;
        void *userdata;
        struct running *previous, *next;
};

struct transfers {
        sd_event *event;
        char *path;
        struct running *running;
};

static void running_free(struct running *w) {
        if (w->previous)
                w->previous->next = w->next;
        else if (w->transfers->running == w)
                w->transfers->running = w->next;
        if (w->next)
                w->next->previous = w->previous;
        sd_event_source_disable_unref(w->exit);
        sd_event_source_disable_unref(w->reports);
        if (w->status >= 0)
                close(w->status);
        pidref_done(&w->process);
        free(w);
}

static void take_reports(struct running *w) {
        uint8_t packet[TRANSFER_REPORT_MAX];
        struct transfer_report r;
        ssize_t n;

        while (w->status >= 0 && (n = recv(w->status, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
                if (transfer_report_decode(packet, (size_t) n, &r) == 0 && r.kind != TRANSFER_REPORT_PROGRESS) {
                        w->last = r;
                        w->concluded = true;
                }
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct running *w = userdata;

        take_reports(w);
        if (events & (EPOLLHUP | EPOLLERR)) /* its end is what we wait for */
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static void finish(struct running *w, int error) {
        struct transferred result = { .error = error, .text = w->concluded ? w->last.text : NULL };
        transferred_fn done = w->done;
        void *userdata = w->userdata;

        done(userdata, &result);
        running_free(w);
}

static int on_exit_of_process(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct running *w = userdata;
        siginfo_t info = { .si_pid = 0 };

        if (waitid((idtype_t) P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
                return 0; /* not yet */
        take_reports(w);
        finish(w, w->concluded ? -(int) w->last.error : w->status < 0 ? 0 : -EIO);
        return 0;
}

/* theirs: where it reports to, borrowed where it is the client's. */
static int start(struct running *w, const struct machine *m, const struct transfer *t, int theirs) {
        AUTO_BUF struct buf request = BUF_EMPTY;
        int stream = t->fds[TRANSFER_FD_STREAM], r;
        struct spawn_enter spawn = {
                .path = w->transfers->path,
                .leader = m->leader.fd,
                .status = theirs,
                .starting = -EBADF,
                .stdio = { t->kind == TRANSFER_COPY_TO ? stream : -EBADF,
                           t->kind == TRANSFER_COPY_FROM ? stream : -EBADF, -EBADF },
        };
        pid_t pid;

        if (m->leader.fd < 0)
                return -ESRCH;
        r = transfer_request_encode(t, &request);
        if (r < 0)
                return r;
        spawn.request = request.data;
        spawn.request_size = request.size;
        r = spawn_enter(&spawn, &pid);
        if (r < 0)
                return log_warning_errno(r, "Cannot start %s", w->transfers->path);
        r = pidref_open(pid, &w->process); /* it is our child and not waited for: the number is its own */
        if (r >= 0)
                r = sd_event_add_io(w->transfers->event, &w->exit, w->process.fd, EPOLLIN, on_exit_of_process, w);
        return r;
}

static int running_new(struct transfers *x, const struct machine *m, const struct transfer *t, struct running **ret) {
        struct running *w = calloc(1, sizeof(*w));
        AUTO_CLOSE int theirs = -EBADF;
        int sockets[2], r = 0;

        if (!w)
                return -ENOMEM;
        w->transfers = x;
        w->process = PIDREF_EMPTY;
        w->status = -EBADF;
        if (t->fds[TRANSFER_FD_STATUS] < 0) {
                r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ? -errno : 0;
                if (r >= 0) {
                        w->status = sockets[0];
                        theirs = sockets[1];
                        r = sd_event_add_io(x->event, &w->reports, w->status, EPOLLIN, on_report, w);
                }
        }
        if (r >= 0)
                r = start(w, m, t, theirs >= 0 ? theirs : t->fds[TRANSFER_FD_STATUS]);
        if (r < 0) {
                running_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

static int port_start(void *impl, const struct machine *m, const struct transfer *t, transferred_fn done,
                      void *userdata, void **ret_handle) {
        struct transfers *x = impl;
        struct running *w;
        int r = running_new(x, m, t, &w);

        if (r < 0)
                return r;
        w->done = done;
        w->userdata = userdata;
        w->next = x->running;
        if (x->running)
                x->running->previous = w;
        x->running = w;
        *ret_handle = w;
        return 0;
}

static void port_cancel(void *impl, void *handle) {
        struct running *w = handle;

        w->reports = sd_event_source_disable_unref(w->reports);
        if (w->status >= 0)
                close(STEAL_FD(w->status));
}

int transfers_new(sd_event *e, const char *helper, struct transfers **ret) {
        AUTO(transfers_freep) struct transfers *x = calloc(1, sizeof(*x));
        const char *slash = strrchr(helper, '/');

        if (!x)
                return -ENOMEM;
        x->event = sd_event_ref(e);
        if (asprintf(&x->path, "%.*s/muster-transfer", slash ? (int) (slash - helper) : 0, helper) < 0) {
                x->path = NULL;
                return -ENOMEM;
        }
        *ret = STEAL(x);
        return 0;
}

void transfers_free(struct transfers *x) {
        if (!x)
                return;
        while (x->running)
                finish(x->running, -ECANCELED);
        sd_event_unref(x->event);
        free(x->path);
        free(x);
}

struct transfer_port transfers_port(struct transfers *x) {
        return (struct transfer_port){ .impl = x, .start = port_start, .cancel = port_cancel };
}
