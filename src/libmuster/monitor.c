/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two ways to hear of changes behind one descriptor, which is an epoll set: events of the registry while one runs; its
 * directory (inotify) and a timer while none does. When it is back, its journal is read on from the last event that it told. */
#include <muster/muster.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "codec/event-json.h"
#include "core/machine.h"
#include "core/name.h"
#include "libmuster/call.h"

#define DIRECTORY RUN_DIRECTORY "/systemd/machines"
#define RETRY_SEC 1
#define RECONNECT_MSEC 100 /* that a registry may take to tell where its journal ends, when it has come back */
#define SUBSCRIBE "org.muster.Machine1.Subscribe"

struct muster_monitor {
        int epoll_fd, inotify_fd, timer_fd;
        int watch;                     /* of the directory; negative: it was not there */
        struct varlink_client *client; /* NULL: files and timer */
        bool has_place;
        uint64_t sequence; /* of the last event that was told, in that boot */
        struct id128 boot_id;
        bool missed;     /* to be told first */
        bool only_files; /* the registry has no events for us */
        char kind[EVENT_KIND_NAME_MAX + 1], machine[MACHINE_NAME_MAX + 1];
        /* what inotify said, and has not been told yet */
        size_t size, at;
        _Alignas(struct inotify_event) char changes[4096];
};

/* ---- the epoll set ---- */

static int set_add(const muster_monitor *m, int fd) {
        struct epoll_event e = { .events = EPOLLIN };

        return epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 && errno != EEXIST ? -errno : 0;
}

static void set_remove(const muster_monitor *m, int fd) {
        (void) epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void watch_directory(muster_monitor *m) {
        if (m->watch < 0)
                m->watch = inotify_add_watch(m->inotify_fd, DIRECTORY, IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
}

/* Or the directory, where there is none yet. */
static bool wants_registry(const muster_monitor *m) {
        return !m->only_files || m->watch < 0;
}

static int begin_files(muster_monitor *m) {
        struct itimerspec again = { .it_value.tv_sec = 0 };
        int r;

        if (m->client) {
                set_remove(m, varlink_client_fd(m->client));
                varlink_client_free(STEAL(m->client));
        }
        watch_directory(m);
        if (wants_registry(m))
                again.it_interval.tv_sec = again.it_value.tv_sec = RETRY_SEC;
        (void) timerfd_settime(m->timer_fd, 0, &again, NULL);
        r = set_add(m, m->inotify_fd);
        return r < 0 ? r : set_add(m, m->timer_fd);
}

static void end_files(muster_monitor *m) {
        const struct itimerspec never = { .it_value.tv_sec = 0 };

        set_remove(m, m->inotify_fd);
        set_remove(m, m->timer_fd);
        (void) timerfd_settime(m->timer_fd, 0, &never, NULL);
        if (m->watch >= 0)
                (void) inotify_rm_watch(m->inotify_fd, m->watch);
        m->watch = -1;
        while (read(m->inotify_fd, m->changes, sizeof(m->changes)) > 0) {
        }
        m->size = m->at = 0;
}

/* ---- the registry ---- */

static int send_subscribe(struct varlink_client *client, const muster_monitor *m, bool follow) {
        AUTO_CALL struct call c;
        char id[ID128_STRING_SIZE];
        int r;

        call_begin(&c);
        if (m->has_place) {
                json_text_unsigned(&c.json, "since", m->sequence);
                json_text_string(&c.json, "bootId", id128_to_string(&m->boot_id, id));
        }
        if (follow)
                json_text_bool(&c.json, "follow", true);
        else { /* hardly anything happens to the host: this tells only how far the journal is */
                json_text_begin_array(&c.json, "machines");
                json_text_string(&c.json, NULL, HOST_MACHINE_NAME);
                json_text_end_array(&c.json);
        }
        r = call_end(&c);
        return r < 0 ? r : varlink_client_send(client, SUBSCRIBE, c.text.data, true);
}

/* Where the journal ends. */
static int find_place(struct varlink_client *client, muster_monitor *m) {
        int r = send_subscribe(client, m, false);

        while (r >= 0 && !m->has_place) {
                AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
                struct event_reply reply;

                r = varlink_client_next(client, &answer);
                if (r >= 0)
                        r = answer_errno(&answer);
                if (r >= 0)
                        r = event_reply_decode(&answer, &reply);
                if (r < 0)
                        return r;
                free(reply.event);
                if (reply.position.set) {
                        m->sequence = reply.position.sequence;
                        m->boot_id = reply.position.boot_id;
                        m->has_place = true;
                } else if (!answer.continues)
                        return -EBADMSG;
        }
        return r;
}

static int connect_registry(muster_monitor *m, unsigned timeout_msec) {
        AUTO(varlink_client_freep) struct varlink_client *client = NULL;
        bool first = !m->has_place;
        int r = varlink_client_connect(RUN_DIRECTORY, timeout_msec, &client);

        if (r >= 0 && first)
                r = find_place(client, m);
        m->only_files = r == -EOPNOTSUPP || r == -EACCES;
        if (r >= 0)
                r = send_subscribe(client, m, true);
        if (r >= 0)
                r = set_add(m, varlink_client_fd(client));
        if (r < 0)
                return r;
        end_files(m);
        m->client = STEAL(client);
        return 0;
}

static void keep(muster_monitor *m, const char *kind, const char *machine) {
        (void) snprintf(m->kind, sizeof(m->kind), "%s", kind);
        (void) snprintf(m->machine, sizeof(m->machine), "%s", machine);
}

/* 1: an event is kept. 0: it was something else. */
static int take_reply(muster_monitor *m, const struct varlink_answer *answer) {
        struct event_reply reply;
        int r = answer_errno(answer);

        if (r < 0) { /* another boot, or numbers that begin anew: the place is of no use */
                m->has_place = false;
                m->missed = true;
                return r;
        }
        r = event_reply_decode(answer, &reply);
        if (r < 0)
                return r;
        if (reply.event) {
                m->sequence = reply.event->sequence;
                keep(m, reply.event->kind, reply.event->machine);
                free(reply.event);
                return 1;
        }
        if (reply.gap.from > 0) {
                m->sequence = reply.gap.to;
                m->missed = true;
        }
        return 0;
}

/* 1: an event is kept. 0: no more now. -errno: the registry is gone. */
static int next_event(muster_monitor *m) {
        for (;;) {
                AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
                int r = varlink_client_try_next(m->client, &answer);

                if (r == -EAGAIN)
                        return 0;
                if (r >= 0)
                        r = take_reply(m, &answer);
                if (r != 0 || m->missed)
                        return r;
        }
}

/* ---- files ---- */

static void drain_timer(const muster_monitor *m) {
        uint64_t n;

        if (read(m->timer_fd, &n, sizeof(n)) < 0) {
        }
}

/* 1: a change is kept. 0: no more now. */
static int next_change(muster_monitor *m) {
        for (;;) {
                const struct inotify_event *e = (const void *) (m->changes + m->at);

                if (m->at >= m->size) {
                        ssize_t n = read(m->inotify_fd, m->changes, sizeof(m->changes));

                        if (n <= 0)
                                return 0;
                        m->size = (size_t) n;
                        m->at = 0;
                        continue;
                }
                m->at += sizeof(*e) + e->len;
                if (e->mask & IN_Q_OVERFLOW)
                        m->missed = true;
                if (e->mask & IN_IGNORED)
                        m->watch = -1;
                if (e->mask & (IN_MOVED_TO | IN_DELETE) && e->len > 0 && machine_name_is_valid(e->name)) {
                        keep(m, e->mask & IN_DELETE ? "removed" : "changed", e->name);
                        return 1;
                }
        }
}

/* ---- the interface ---- */

EXPORT void muster_monitor_free(muster_monitor *m) {
        const int *fds[] = { &m->epoll_fd, &m->inotify_fd, &m->timer_fd };

        if (!m)
                return;
        varlink_client_free(m->client);
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                auto_close_p(fds[i]);
        free(m);
}
DEFINE_AUTO(muster_monitor *, muster_monitor_free)

EXPORT int muster_monitor_new(muster_monitor **ret) {
        AUTO(muster_monitor_freep) muster_monitor *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return -ENOMEM;
        m->watch = -1;
        m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        m->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (m->epoll_fd < 0 || m->inotify_fd < 0 || m->timer_fd < 0)
                return -errno;
        r = connect_registry(m, VARLINK_CLIENT_TIMEOUT_MSEC) < 0 ? begin_files(m) : 0;
        if (r < 0)
                return r;
        *ret = STEAL(m);
        return 0;
}

EXPORT int muster_monitor_fd(const muster_monitor *m) {
        return m->epoll_fd;
}

/* While no registry runs: 1: a change is kept. 0: no more now, or there is one again. */
static int next_without(muster_monitor *m) {
        bool first = !m->has_place, seen;
        int r = next_change(m);

        if (r != 0 || m->missed)
                return r;
        seen = m->watch >= 0;
        drain_timer(m);
        watch_directory(m);
        if (wants_registry(m) && connect_registry(m, RECONNECT_MSEC) < 0)
                r = begin_files(m);
        /* Nobody could tell us what was before there was a directory to be watched, or a registry that has a journal. */
        if ((first && m->has_place) || (!seen && m->watch >= 0))
                m->missed = true;
        return r;
}

static int next(muster_monitor *m) {
        int r = m->client ? 0 : next_without(m);

        if (r != 0 || m->missed || !m->client)
                return r;
        r = next_event(m);
        return r < 0 ? begin_files(m) : r;
}

EXPORT int muster_monitor_next(muster_monitor *m, const char **ret_kind, const char **ret_machine) {
        int r = next(m);

        if (r < 0)
                return r;
        if (m->missed && r == 0) {
                m->missed = false;
                *ret_kind = "missed";
                *ret_machine = NULL;
                return 1;
        }
        if (r > 0) {
                *ret_kind = m->kind;
                *ret_machine = m->machine;
        }
        return r;
}
