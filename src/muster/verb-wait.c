/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster wait NAME: sleeps until the machine runs, or is gone. The state directory changes exactly when a machine comes or
 * goes, so inotify(7) on it wakes us; a leader that dies while no registry runs is noticed by its pidfd. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <time.h>

#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/verbs.h"
#include "sys/pidfd.h"

/* Only a net: for a directory that does not exist yet, a lost event, a record that outlives its leader for a moment. */
#define LOOK_AGAIN_MSEC 1000

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* -EBADF: the directory is not there (yet). */
static int watch_directory(const char *run_dir) {
        char path[4096];
        int fd, n = snprintf(path, sizeof(path), "%s/systemd/machines", run_dir);

        if (n < 0 || (size_t) n >= sizeof(path))
                return -EBADF;
        fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd >= 0 && inotify_add_watch(fd, path, IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR) < 0) {
                close(fd);
                return -EBADF;
        }
        return fd < 0 ? -EBADF : fd;
}

struct waiter {
        int inotify_fd;
        struct pidref leader;
        bool leader_ended; /* seen once; its pidfd stays readable for ever and must not be polled again */
};

/* 1: reached. 0: not yet; w->leader holds the running leader. -1: said what is wrong. */
static int look(const struct options *o, const char *name, struct waiter *w) {
        enum fetch_result found;
        struct machine_view v;
        bool opening;

        found = fetch_one(o, name, false, true, &v, NULL);
        if (found == FETCH_FAILED)
                return -1;
        if (found == FETCH_BROKEN_OFF)
                return 0;
        if (found == FETCH_NO_MACHINE)
                return o->wait_stopped;
        opening = v.state && streq(v.state, "opening");
        if (o->wait_stopped && !w->leader_ended && w->leader.fd < 0 && v.leader.pid > 0)
                (void) pidref_open(v.leader.pid, &w->leader); /* gone already: the next look tells */
        machine_view_done(&v);
        return !o->wait_stopped && !opening;
}

/* Sleeps until something may have changed. */
static void sleep_a_while(struct waiter *w, uint64_t left_usec) {
        struct pollfd fds[] = { { .fd = w->inotify_fd, .events = POLLIN }, { .fd = w->leader.fd, .events = POLLIN } };
        int timeout = left_usec / 1000 >= LOOK_AGAIN_MSEC ? LOOK_AGAIN_MSEC : (int) (left_usec / 1000) + 1;
        char events[4096];

        if (poll(fds, ELEMENTS(fds), timeout) <= 0)
                return;
        if (fds[1].revents) {
                pidref_done(&w->leader);
                w->leader = PIDREF_EMPTY;
                w->leader_ended = true;
        }
        if (fds[0].revents && read(w->inotify_fd, events, sizeof(events)) < 0)
                return; /* whatever it was, we look next */
}

static int wait_for(const struct options *o, const char *name, uint64_t end) {
        struct waiter w = { .inotify_fd = -EBADF, .leader = PIDREF_EMPTY };
        int r;

        for (;;) {
                uint64_t now;

                if (w.inotify_fd < 0)
                        w.inotify_fd = watch_directory(o->run); /* before looking, so that nothing falls between */
                r = look(o, name, &w);
                if (r != 0)
                        break;
                now = now_usec();
                if (now >= end) {
                        r = -1;
                        fail("\"%s\" is still not %s.", name, o->wait_stopped ? "stopped" : "running");
                        break;
                }
                sleep_a_while(&w, end - now);
        }
        if (w.inotify_fd >= 0)
                close(w.inotify_fd);
        pidref_done(&w.leader);
        return r > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int verb_wait(const struct options *o, char **args) {
        uint64_t start = now_usec();
        uint64_t end = o->timeout_usec > UINT64_MAX - start ? UINT64_MAX : start + o->timeout_usec;
        int status = EXIT_SUCCESS;

        for (; *args; args++)
                if (wait_for(o, *args, end) != EXIT_SUCCESS)
                        status = EXIT_FAILURE;
        return status;
}
