/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a session is about goes from the client to the command directly; here is nothing to be relayed, and nothing to wait for.
 *
 * To start a program keeps us until the new process has become it, which takes its time where many want the processor. So sessions
 * wait in a queue, and one is started in each turn of the loop: whoever else wants something has his turn in between. Nor are many
 * on their way into a machine at the same time; but one that is stuck there does not hold up the others for long. A process is kept
 * in a list only to be reaped. */
#include "backend/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/enter-spare.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/enter-protocol.h"
#include "sys/packet.h"
#include "sys/pidfd.h"
#include "sys/spawn-enter.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define STARTING_MAX 8                 /* at the same time, */
#define STARTING_USEC UINT64_C(100000) /* and one more after this time, whatever becomes of those */

/* Everything that starting it needs, our own. */
struct waiting {
        struct buf request;
        int leader, fds[_SESSION_FD_MAX];
        uint32_t caller;
        struct waiting *next;
};

struct running {
        struct enter *enter;
        struct pidref process;
        uint32_t caller;
        int starting; /* hangs up when it is no longer on its way; -EBADF: it is not */
        sd_event_source *exit, *started;
        struct running *previous, *next;
};

struct enter {
        sd_event *event;
        char *path;
        struct enter_spare *spare;
        sd_event_source *turn, *timer;
        size_t n_starting;
        struct waiting *first, **last;
        struct running *running;
        struct opening *openings;
        size_t n; /* waiting and running */
};

static void running_started(struct running *w) {
        if (w->starting < 0)
                return;
        w->started = sd_event_source_disable_unref(w->started);
        close(STEAL_FD(w->starting));
        w->enter->n_starting--;
        if (w->enter->first)
                sd_event_source_set_enabled(w->enter->turn, SD_EVENT_ONESHOT);
}

static int on_started(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        running_started(userdata);
        return 0;
}

static void running_free(struct running *w) {
        running_started(w);
        if (w->previous)
                w->previous->next = w->next;
        else if (w->enter->running == w)
                w->enter->running = w->next;
        if (w->next)
                w->next->previous = w->previous;
        sd_event_source_disable_unref(w->exit);
        pidref_done(&w->process);
        free(w);
}

static int on_exit_of_process(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct running *w = userdata;
        siginfo_t info = { .si_pid = 0 };

        if (waitid((idtype_t) P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
                return 0; /* not yet */
        w->enter->n--;
        if (!w->enter->first)
                enter_spare_want(w->enter->spare);
        running_free(w);
        return 0;
}

/* starting is consumed. */
static int watch(struct enter *x, pid_t pid, uint32_t caller, int starting) {
        AUTO_CLOSE int end = starting;
        struct running *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->enter = x;
        w->caller = caller;
        w->process = PIDREF_EMPTY;
        w->starting = -EBADF;
        r = pidref_open(pid, &w->process); /* it is our child and not waited for: the number is its own */
        if (r >= 0)
                r = sd_event_add_io(x->event, &w->exit, w->process.fd, EPOLLIN, on_exit_of_process, w);
        if (r >= 0)
                r = sd_event_add_io(x->event, &w->started, end, 0, on_started, w); /* EPOLLHUP comes unasked */
        if (r < 0) {
                running_free(w);
                return r;
        }
        w->starting = STEAL_FD(end);
        x->n_starting++;
        w->next = x->running;
        if (x->running)
                x->running->previous = w;
        x->running = w;
        return 0;
}

/* ---- the queue ---- */

static void waiting_free(struct waiting *w) {
        if (w->leader >= 0)
                close(w->leader);
        for (int i = 0; i < _SESSION_FD_MAX; i++)
                if (w->fds[i] >= 0)
                        close(w->fds[i]);
        buf_done(&w->request);
        free(w);
}

static int duplicate(int fd, int *ret) {
        if (fd < 0)
                return 0;
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? -errno : 0;
}

/* The host is entered as any machine is: what its first process has is taken over, the control group above all, for ours is of a
 * service. */
static int open_init(int *ret) {
        struct pidref init = PIDREF_EMPTY;
        int r = pidref_open(1, &init);

        if (r >= 0)
                *ret = STEAL_FD(init.fd);
        pidref_done(&init);
        return r;
}

static int waiting_new(const struct machine *m, const struct session *s, const int fds[static _SESSION_FD_MAX],
                       struct waiting **ret) {
        struct waiting *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->caller = s->caller;
        w->leader = -EBADF;
        for (int i = 0; i < _SESSION_FD_MAX; i++)
                w->fds[i] = -EBADF;
        r = enter_request_encode(s, &w->request);
        if (r >= 0)
                r = m->class == MACHINE_HOST ? open_init(&w->leader) : duplicate(m->leader.fd, &w->leader);
        for (int i = 0; r >= 0 && i < _SESSION_FD_MAX; i++)
                r = duplicate(fds[i], &w->fds[i]);
        if (r < 0) {
                waiting_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

/* The client has its answer already: it hears of this where it hears of everything else. */
static void report_failure(const struct waiting *w, int error) {
        struct enter_report report = { .kind = ENTER_REPORT_FAILED, .value = ENTER_EXIT_FAILURE };
        uint8_t packet[ENTER_REPORT_MAX];

        snprintf(report.text, sizeof(report.text), "The registry cannot start muster-enter: %s.", strerror(-error));
        (void) send(w->fds[SESSION_FD_STATUS], packet, enter_report_encode(&report, packet),
                    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int start(struct enter *x, const struct waiting *w) {
        struct spawn_enter spawn = {
                .path = x->path,
                .request = w->request.data,
                .request_size = w->request.size,
                .leader = w->leader,
                .status = w->fds[SESSION_FD_STATUS],
                .stdio = { w->fds[SESSION_FD_INPUT], w->fds[SESSION_FD_OUTPUT], w->fds[SESSION_FD_ERROR] },
        };
        int ends[2], r;
        pid_t pid;

        r = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
        if (r >= 0) {
                spawn.starting = ends[1];
                r = enter_spare_use(x->spare, &spawn, &pid) ? 0 : spawn_enter(&spawn, &pid);
                close(ends[1]);
                if (r < 0)
                        close(ends[0]);
        }
        if (r < 0) {
                report_failure(w, r);
                return log_warning_errno(r, "Cannot start %s", x->path);
        }
        r = watch(x, pid, w->caller, ends[0]);
        if (r < 0) /* it does its work all the same, and is reaped by whoever reaps when we have ended */
                log_warning_errno(r, "Cannot watch muster-enter (process %d)", (int) pid);
        return r;
}

static void start_first(struct enter *x) {
        struct waiting *w = x->first;

        if (!w)
                return;
        x->first = w->next;
        if (!x->first)
                x->last = &x->first;
        else
                sd_event_source_set_enabled(x->turn, SD_EVENT_ONESHOT);
        if (start(x, w) < 0)
                x->n--;
        waiting_free(w);
}

/* By time: what is deferred goes before all others that wait, again and again. */
static int on_turn(sd_event_source *source, uint64_t usec, void *userdata) {
        struct enter *x = userdata;

        if (x->n_starting < STARTING_MAX) {
                start_first(x);
        } else if (sd_event_source_get_enabled(x->timer, NULL) == 0) {
                sd_event_source_set_time_relative(x->timer, STARTING_USEC);
                sd_event_source_set_enabled(x->timer, SD_EVENT_ONESHOT);
        }
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct enter *x = userdata;

        if (x->n_starting >= STARTING_MAX)
                start_first(x);
        return 0;
}

static size_t count_of(const struct enter *x, uint32_t caller) {
        size_t n = 0;

        for (const struct waiting *w = x->first; w; w = w->next)
                n += w->caller == caller;
        for (const struct running *w = x->running; w; w = w->next)
                n += w->caller == caller;
        return n;
}

static int enqueue(struct enter *x, const struct machine *m, const struct session *s,
                   const int fds[static _SESSION_FD_MAX]) {
        struct waiting *w = NULL;
        int r;

        r = session_fits(x->n, count_of(x, s->caller), s->caller);
        if (r < 0)
                return r;
        if (m->leader.fd < 0 && m->class != MACHINE_HOST)
                return -ESRCH;
        r = waiting_new(m, s, fds, &w);
        if (r >= 0)
                r = sd_event_source_set_enabled(x->turn, SD_EVENT_ONESHOT);
        if (r < 0) {
                if (w)
                        waiting_free(w);
                return r;
        }
        *x->last = w;
        x->last = &w->next;
        x->n++;
        return 0;
}

static int port_start(void *impl, const struct machine *m, const struct session *s) {
        return enqueue(impl, m, s, s->fds);
}

/* ---- terminals, which we hand out ---- */

struct opening {
        struct enter *enter;
        int status, master;
        char *path;
        sd_event_source *io;
        opened_fn answer;
        void *userdata;
        struct opening *previous, *next;
};

static void opening_free(struct opening *o) {
        if (!o)
                return;
        if (o->previous)
                o->previous->next = o->next;
        else if (o->enter->openings == o)
                o->enter->openings = o->next;
        if (o->next)
                o->next->previous = o->previous;
        sd_event_source_disable_unref(o->io);
        if (o->status >= 0)
                close(o->status);
        if (o->master >= 0)
                close(o->master);
        free(o->path);
        free(o);
}

static void opening_finish(struct opening *o, int error, const char *text) {
        struct opened result = { .error = error, .text = text, .fd = o->master, .path = o->path };

        o->answer(o->userdata, &result);
        opening_free(o);
}

static int error_of_status(int exit_status) {
        switch (exit_status) {
        case ENTER_EXIT_NOT_FOUND:
                return -ENOENT;
        case ENTER_EXIT_NOT_EXECUTABLE:
                return -ENOEXEC;
        default:
                return -EIO;
        }
}

/* What muster-enter says is what the machine made it say: fd (or -EBADF) is consumed. */
static void take_report(struct opening *o, const struct enter_report *r, int fd) {
        AUTO_CLOSE int master = fd;

        switch (r->kind) {
        case ENTER_REPORT_TERMINAL:
                if (o->master >= 0 || master < 0)
                        return;
                o->master = STEAL_FD(master);
                o->path = strdup(r->text);
                return;
        case ENTER_REPORT_STARTED:
                opening_finish(o, o->master >= 0 && o->path ? 0 : -EIO, NULL);
                return;
        case ENTER_REPORT_FAILED:
                opening_finish(o, error_of_status(r->value), r->text);
                return;
        default:
                opening_finish(o, -EIO, NULL);
        }
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct opening *o = userdata;
        uint8_t packet[ENTER_REPORT_MAX];
        struct enter_report report;
        int came;
        ssize_t n = packet_receive(fd, packet, sizeof(packet), &came);

        if (n == -EAGAIN)
                return 0;
        if (n > 0 && enter_report_decode(packet, (size_t) n, &report) == 0) {
                take_report(o, &report, came);
                return 0;
        }
        if (came >= 0)
                close(came);
        opening_finish(o, -EIO, NULL);
        return 0;
}

static int opening_new(struct enter *x, struct opening **ret, int *ret_theirs) {
        struct opening *o = calloc(1, sizeof(*o));
        int sockets[2], r;

        if (!o)
                return -ENOMEM;
        o->enter = x;
        o->status = o->master = -EBADF;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
                r = -errno;
                opening_free(o);
                return r;
        }
        o->status = sockets[0];
        r = sd_event_add_io(x->event, &o->io, o->status, EPOLLIN, on_report, o);
        if (r < 0) {
                close(sockets[1]);
                opening_free(o);
                return r;
        }
        *ret = o;
        *ret_theirs = sockets[1];
        return 0;
}

static void port_open(void *impl, const struct machine *m, const struct session *s, opened_fn answer, void *userdata) {
        int fds[_SESSION_FD_MAX] = { -EBADF, -EBADF, -EBADF, -EBADF }, r;
        AUTO_CLOSE int theirs = -EBADF;
        struct enter *x = impl;
        struct opening *o = NULL;

        r = opening_new(x, &o, &theirs);
        if (r >= 0) {
                fds[SESSION_FD_STATUS] = theirs;
                r = enqueue(x, m, s, fds);
        }
        if (r < 0) {
                opening_free(o);
                answer(userdata, &(struct opened){ .error = r, .fd = -EBADF });
                return;
        }
        o->answer = answer;
        o->userdata = userdata;
        o->next = x->openings;
        if (x->openings)
                x->openings->previous = o;
        x->openings = o;
}

int enter_new(sd_event *e, const char *helper, struct enter **ret) {
        AUTO(enter_freep) struct enter *x = calloc(1, sizeof(*x));
        const char *slash = strrchr(helper, '/');
        int r;

        if (!x)
                return -ENOMEM;
        x->last = &x->first;
        x->event = sd_event_ref(e);
        r = sd_event_add_time(e, &x->turn, CLOCK_MONOTONIC, 0, 1, on_turn, x);
        if (r >= 0)
                r = sd_event_source_set_enabled(x->turn, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(e, &x->timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_timer, x);
        if (r >= 0)
                r = sd_event_source_set_enabled(x->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        if (asprintf(&x->path, "%.*s/muster-enter", slash ? (int) (slash - helper) : 0, helper) < 0) {
                x->path = NULL;
                return -ENOMEM;
        }
        r = enter_spare_new(e, x->path, &x->spare);
        if (r < 0)
                return r;
        *ret = STEAL(x);
        return 0;
}

void enter_free(struct enter *x) {
        if (!x)
                return;
        while (x->first) {
                struct waiting *w = x->first;

                x->first = w->next;
                report_failure(w, -ECANCELED);
                waiting_free(w);
        }
        while (x->openings)
                opening_finish(x->openings, -ECANCELED, NULL);
        while (x->running)
                running_free(x->running);
        enter_spare_free(x->spare);
        sd_event_source_disable_unref(x->turn);
        sd_event_source_disable_unref(x->timer);
        sd_event_unref(x->event);
        free(x->path);
        free(x);
}

struct enter_port enter_port(struct enter *x) {
        return (struct enter_port){ .impl = x, .start = port_start, .open = port_open };
}
