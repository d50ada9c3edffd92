/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/cgroup-reaper.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

#define LOOK_USEC UINT64_C(50000)     /* where nobody tells us that the killed are gone */
#define SAFETY_USEC UINT64_C(1000000) /* where somebody should have, or nothing presses */
#define WAIT_USEC UINT64_C(5000000)

struct dying {
        char *path;
        int wd; /* inotify watch, -1: none */
        bool kill, again, oom;
        void (*done)(void *userdata, int error);
        void *userdata;
        uint64_t wait_until;
        UT_hash_handle by_path, by_wd;
};

struct cgroup_reaper {
        struct reaper_ops ops;
        int inotify_fd;
        sd_event_source *io, *timer;
        struct dying *paths, *watches;
        bool checking; /* something here needs the timer: it is being killed, or has no watch */
        bool looking;  /* and the timer is in a hurry: both */
};

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static struct dying *find_path(struct cgroup_reaper *r, const char *path) {
        struct dying *x = NULL;

        HASH_FIND(by_path, r->paths, path, strlen(path), x);
        return x;
}

static void tell_gone(struct cgroup_reaper *r, const char *path, int error) {
        if (r->ops.gone)
                r->ops.gone(r->ops.impl, path, error);
}

static void tell(struct dying *x, int error) {
        void (*done)(void *userdata, int e) = x->done;

        x->done = NULL;
        if (done)
                done(x->userdata, error);
}

static void drop(struct cgroup_reaper *r, struct dying *x, int error) {
        HASH_DELETE(by_path, r->paths, x);
        if (x->wd >= 0) {
                HASH_DELETE(by_wd, r->watches, x);
                inotify_rm_watch(r->inotify_fd, x->wd); /* fails when the directory went first: fine */
        }
        tell(x, error);
        free(x->path);
        free(x);
}

/* True when x is gone, and freed. */
static bool try_remove(struct cgroup_reaper *r, struct dying *x) {
        int error;

        if (x->kill)
                r->ops.kill(r->ops.impl, x->path);
        error = r->ops.remove(r->ops.impl, x->path);
        x->again = error == -EAGAIN;
        if (error == -EBUSY || error == -EAGAIN)
                return false;
        if (error < 0)
                log_warning_errno(error, "Cannot remove the control group %s, leaving it", x->path);
        tell_gone(r, x->path, error);
        drop(r, x, error);
        return true;
}

/* What ends by itself is not waited for with impatience, and costs nothing where the kernel tells of it. */
static void note_hurry(struct cgroup_reaper *r, const struct dying *x) {
        r->checking |= x->kill || x->again || x->wd < 0;
        r->looking |= x->again || (x->kill && x->wd < 0);
}

static void schedule(struct cgroup_reaper *r) {
        if (!r->paths)
                r->checking = r->looking = false;
        if (!r->checking) {
                sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time_relative(r->timer, r->looking ? LOOK_USEC : SAFETY_USEC);
        sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct cgroup_reaper *r = userdata;
        struct dying *x, *next;

        r->checking = r->looking = false;
        HASH_ITER (by_path, r->paths, x, next) {
                if (try_remove(r, x))
                        continue;
                note_hurry(r, x);
                if (x->done && now_usec() >= x->wait_until)
                        tell(x, -ETIMEDOUT);
        }
        schedule(r);
        return 0;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        struct cgroup_reaper *r = userdata;
        ssize_t size = read(fd, buffer, sizeof(buffer));

        for (ssize_t at = 0; at < size;) {
                const struct inotify_event *event = (const struct inotify_event *) (buffer + at);
                struct dying *x = NULL;

                HASH_FIND(by_wd, r->watches, &event->wd, sizeof(event->wd), x);
                if (x && !try_remove(r, x))
                        note_hurry(r, x);
                at += (ssize_t) (sizeof(*event) + event->len);
        }
        if (!r->paths || r->checking)
                schedule(r);
        return 0;
}

int cgroup_reaper_new(sd_event *e, const struct reaper_ops *ops, struct cgroup_reaper **ret) {
        AUTO(cgroup_reaper_freep) struct cgroup_reaper *r = calloc(1, sizeof(*r));
        int error;

        if (!r)
                return -ENOMEM;
        r->ops = *ops;
        r->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (r->inotify_fd >= 0) { /* too many inotify instances of root: then looking has to do */
                error = sd_event_add_io(e, &r->io, r->inotify_fd, EPOLLIN, on_events, r);
                if (error < 0)
                        return error;
        }
        error = sd_event_add_time_relative(e, &r->timer, CLOCK_MONOTONIC, 0, 0, on_timer, r);
        if (error < 0)
                return error;
        sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
        *ret = STEAL(r);
        return 0;
}

void cgroup_reaper_free(struct cgroup_reaper *r) {
        struct dying *x, *next;

        if (!r)
                return;
        HASH_ITER (by_path, r->paths, x, next) {
                x->done = NULL;
                drop(r, x, 0);
        }
        sd_event_source_disable_unref(r->io);
        sd_event_source_disable_unref(r->timer);
        if (r->inotify_fd >= 0)
                close(r->inotify_fd);
        free(r);
}

static void watch(struct cgroup_reaper *r, struct dying *x) {
        char file[PATH_MAX];

        if (r->inotify_fd >= 0 && r->ops.events_file(r->ops.impl, x->path, file, sizeof(file)) >= 0)
                x->wd = inotify_add_watch(r->inotify_fd, file, IN_MODIFY);
        if (x->wd >= 0) {
                HASH_ADD(by_wd, r->watches, wd, sizeof(x->wd), x);
                if (!x->oom)
                        return;
                inotify_rm_watch(r->inotify_fd, x->wd);
                x->wd = -1;
        }
}

int cgroup_reaper_add(struct cgroup_reaper *r, const char *path, bool kill) {
        struct dying *x = find_path(r, path);
        int error;

        if (x && kill && !x->kill) {
                x->kill = true;
                note_hurry(r, x);
                if (!try_remove(r, x))
                        schedule(r);
        }
        if (x)
                return 0;
        /* Mostly the leader was the last in there: then there is nobody to kill, and it need not be looked for. */
        error = r->ops.remove(r->ops.impl, path);
        if (error != -EBUSY && error != -EAGAIN) {
                tell_gone(r, path, error);
                return 0;
        }
        if (kill)
                r->ops.kill(r->ops.impl, path);
        x = calloc(1, sizeof(*x));
        if (!x)
                return -ENOMEM;
        x->wd = -1;
        x->kill = kill;
        x->path = strdup(path);
        if (x->path)
                HASH_ADD_KEYPTR(by_path, r->paths, x->path, strlen(x->path), x);
        if (!x->path || x->oom) {
                free(x->path);
                free(x);
                return -ENOMEM;
        }
        watch(r, x);
        note_hurry(r, x);
        /* It may have become empty before the watch was there. */
        if (!try_remove(r, x))
                schedule(r);
        return 0;
}

bool cgroup_reaper_is_killing(struct cgroup_reaper *r, const char *path) {
        struct dying *x = find_path(r, path);

        return x && x->kill;
}

int cgroup_reaper_wait(struct cgroup_reaper *r, const char *path, void (*done)(void *userdata, int error),
                       void *userdata) {
        struct dying *x = find_path(r, path);

        if (!x || x->done)
                return -EBUSY;
        x->done = done;
        x->userdata = userdata;
        x->wait_until = now_usec() + WAIT_USEC;
        return 0;
}
