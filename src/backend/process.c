/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leaders by pidfd. All of them hang in one epoll set of ours, and that one descriptor in the event loop: a machine costs
 * one system call to watch and no event source. */
#include "backend/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "codec/idmap-text.h"
#include "codec/proc-text.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define DEATHS_AT_ONCE 256 /* then the doors get a turn */

struct process {
        int epoll_fd;
        sd_event_source *source;
        void (*on_exit)(void *userdata, struct machine *m);
        void *userdata;
};

static void process_unwatch(void *impl, struct machine *m) {
        struct process *p = impl;

        if (m->leader.fd >= 0)
                epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, m->leader.fd, NULL);
}

static int process_watch(void *impl, struct machine *m) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = m };
        struct process *p = impl;

        if (m->leader.fd < 0)
                return -EBADF;
        return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, m->leader.fd, &event) < 0 ? -errno : 0;
}

/* One event at a time: what on_exit() does may free the machine of the next. */
static int on_deaths(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct process *p = userdata;
        struct epoll_event event;

        for (int n = 0; n < DEATHS_AT_ONCE && epoll_wait(p->epoll_fd, &event, 1, 0) == 1; n++) {
                struct machine *m = event.data.ptr;

                process_unwatch(p, m);
                p->on_exit(p->userdata, m);
        }
        return 0;
}

int process_new(sd_event *e, void (*on_exit)(void *userdata, struct machine *m), void *userdata, struct process **ret) {
        AUTO(process_freep) struct process *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return -ENOMEM;
        p->on_exit = on_exit;
        p->userdata = userdata;
        p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (p->epoll_fd < 0)
                return -errno;
        r = sd_event_add_io(e, &p->source, p->epoll_fd, EPOLLIN, on_deaths, p);
        if (r >= 0) /* before any message: who asks after a death hears of it */
                r = sd_event_source_set_priority(p->source, SD_EVENT_PRIORITY_IMPORTANT);
        if (r < 0)
                return r;
        *ret = STEAL(p);
        return 0;
}

void process_free(struct process *p) {
        if (!p)
                return;
        sd_event_source_disable_unref(p->source);
        if (p->epoll_fd >= 0)
                close(p->epoll_fd);
        free(p);
}

static int process_open(void *impl, pid_t pid, int fd, struct pidref *ret) {
        struct pidref p;
        int r;

        if (fd < 0)
                return pidref_open(pid, ret);
        r = pidref_from_fd(fd, &p);
        if (r < 0)
                return r == -EBADF ? -EINVAL : r;
        if (pid > 0 && p.pid != pid) {
                pidref_done(&p);
                return -EINVAL;
        }
        *ret = p;
        return 0;
}

static void process_close(void *impl, struct pidref *p) {
        pidref_done(p);
}

static int process_reopen(void *impl, struct pidref *p) {
        return pidref_reopen(p);
}

static bool process_is_alive(void *impl, const struct pidref *p) {
        return pidref_is_alive(p);
}

/* What was read by number belongs to the process only if that still lives. */
static int confirm(const struct pidref *p, int result) {
        if (result >= 0 && p->fd >= 0 && !pidref_is_alive(p))
                return -ESRCH;
        return result;
}

static int process_belongs_to(void *impl, const struct pidref *p, uid_t uid) {
        return confirm(p, proc_belongs_to(p->pid, uid));
}

static int process_parent(void *impl, pid_t pid, pid_t *ret) {
        AUTO_FREE char *text = NULL;
        uint64_t start;
        size_t size;
        int r;

        r = proc_read(pid, "stat", &text, &size);
        return r < 0 ? r : proc_stat_decode(text, size, ret, &start);
}

static int process_signal(void *impl, const struct pidref *p, int sig) {
        return pidref_signal(p, sig);
}

static int process_id_map(void *impl, const struct pidref *p, bool gid, struct idmap *ret) {
        AUTO(idmap_done) struct idmap map = { NULL, 0 };
        AUTO_FREE char *text = NULL;
        size_t size;
        int r;

        r = proc_read(p->pid, gid ? "gid_map" : "uid_map", &text, &size);
        if (r >= 0)
                r = confirm(p, idmap_decode(text, size, &map));
        if (r < 0)
                return r;
        *ret = map;
        map = (struct idmap){ NULL, 0 };
        return 0;
}

static int process_shares_users(void *impl, const struct pidref *p) {
        return confirm(p, proc_same_namespace(p->pid, 0, "user"));
}

struct process_port process_port(struct process *p) {
        return (struct process_port){
                .impl = p,
                .open = process_open,
                .close = process_close,
                .reopen = process_reopen,
                .is_alive = process_is_alive,
                .belongs_to = process_belongs_to,
                .parent = process_parent,
                .signal = process_signal,
                .watch = process_watch,
                .unwatch = process_unwatch,
                .id_map = process_id_map,
                .shares_users = process_shares_users,
        };
}
