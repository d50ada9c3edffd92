/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines in control groups of our own making. What a hierarchy is, is known to cgroup-host.c and the files beside
 * it; what happens to a scope that nobody needs any more, to cgroup-reaper.c; here is only what it means for a machine. */
#include "backend/supervisor-cgroup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cgroup-host.h"
#include "backend/cgroup-reaper.h"
#include "backend/stopping.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/proc-text.h"
#include "core/name.h"
#include "sys/procfs.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

#define DEFAULT_SLICE "machine.slice"
#define STOP_TIMEOUT_USEC UINT64_C(10000000)

/* A scope that a recovered machine lives in. */
struct adopted {
        char *path;
        bool oom;
        UT_hash_handle hh;
};

struct supervisor_cgroup {
        struct cgroup_host host;
        struct cgroup_reaper *reaper;
        struct helper *helper;
        const struct process_port *process;
        uint64_t stop_timeout_usec;
        struct stopping *stopping;
        struct adopted *adopted;
        void (*gone)(void *userdata, const char *path);
        void *gone_userdata;
};

/* ---- where ---- */

static int supervisor_locate(void *impl, pid_t pid, struct placement *ret) {
        struct supervisor_cgroup *s = impl;

        return cgroup_host_place(&s->host, pid, ret);
}

static int supervisor_locate_limits(void *impl, pid_t pid, char **ret_unit) {
        const struct supervisor_cgroup *s = impl;
        AUTO_FREE char *text = NULL;
        size_t size = 0;
        int r;

        r = proc_read(pid, "cgroup", &text, &size);
        if (r < 0)
                return r;
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++) {
                const char *name = cgroup_controller_to_string((enum cgroup_controller) c);
                AUTO_FREE char *path = NULL, *subgroup = NULL;

                if (s->host.controller_fds[c] >= 0 && proc_cgroup_decode(text, size, name, &path) >= 0 &&
                    cgroup_path_to_unit(path, strempty(s->host.layout.v1[c].prefix), ret_unit, &subgroup) >= 0)
                        return 0;
        }
        return -ENXIO;
}

static void supervisor_stats(void *impl, const struct machine *m, struct machine_stats *ret) {
        struct supervisor_cgroup *s = impl;

        if (m->cgroup)
                cgroup_host_stats(&s->host, m->cgroup, ret);
}

static int supervisor_plan(void *impl, const char *name, const struct scope_properties *props, struct placement *ret,
                           struct diag *d) {
        struct supervisor_cgroup *s = impl;
        const char *slice = props->slice ? props->slice : DEFAULT_SLICE;
        struct placement p = { NULL, NULL, NULL };
        int r;

        if (!slice_name_is_valid(slice))
                return diag_set(d, -EINVAL, "Slice", "Slice must be the name of a slice, such as machine.slice.");
        r = cgroup_host_check(&s->host, props, d);
        if (r < 0)
                return r;
        if (!cgroup_host_has_tracking(&s->host)) {
                *ret = p;
                return 0;
        }
        r = machine_scope_name(name, &p.unit);
        if (r < 0)
                return r;
        r = cgroup_host_scope_path(&s->host, slice, p.unit, &p.cgroup);
        if (r < 0) {
                placement_done(&p);
                return r;
        }
        /* Before anything is recorded: whatever stands at a recorded path without a mark must be ours, not finished. */
        if (cgroup_host_is_ours(&s->host, p.cgroup) == 0) {
                placement_done(&p);
                return diag_set(d, -EEXIST, NULL, "Another program has made a control group of that name.");
        }
        *ret = p;
        return 0;
}

/* ---- making ---- */

/* A creation, which may have to wait for an earlier scope of the same name to go. */
struct creation {
        struct supervisor_cgroup *s;
        const struct machine *machine; /* stays while it is opening */
        const struct scope_properties *props;
        port_done_fn done;
        void *userdata;
};

static int create_now(struct creation *c) {
        const struct machine *m = c->machine;
        const struct cgroup_wanted wanted = { m->cgroup, m->name, NULL, .uid = m->uid, .pid = m->leader.pid };
        struct diag d = { .line = 0 };
        int r;

        if (c->s->process->is_alive(c->s->process->impl, &m->leader))
                r = cgroup_host_create(&c->s->host, &wanted, c->props, &d);
        else
                r = -ESRCH;
        if (r < 0 && d.text[0])
                log_warning("Machine %s: %s", m->name, d.text);
        return r;
}

static void on_gone(void *userdata, int error) {
        struct creation *c = userdata;

        c->done(c->userdata, error < 0 ? error : create_now(c));
        free(c);
}

/* A scope of ours that is in the way: removed if it is empty, waited for if it is dying. */
static int make_room(struct creation *c) {
        struct supervisor_cgroup *s = c->s;
        const char *path = c->machine->cgroup;
        struct creation *later;
        int r;

        r = cgroup_host_is_ours(&s->host, path);
        if (r <= 0 && r != -ENOENT) /* -ENOENT: what is in the way is in another hierarchy */
                return r == 0 ? -EEXIST : r;
        if (!cgroup_reaper_is_killing(s->reaper, path)) {
                r = cgroup_host_remove(&s->host, path);
                if (r != -EBUSY && r != -EAGAIN)
                        return r;
                if (r == -EBUSY)
                        return -EEXIST;
                /* Its processes are gone, and in a moment so are the last of its directories. */
                r = cgroup_reaper_add(s->reaper, path, false);
                if (r < 0)
                        return r;
        }
        later = malloc(sizeof(*later));
        if (!later)
                return -ENOMEM;
        *later = *c;
        r = cgroup_reaper_wait(s->reaper, path, on_gone, later);
        if (r < 0) { /* it is gone by now, or somebody waits already */
                free(later);
                return cgroup_host_remove(&s->host, path) < 0 ? -EEXIST : 0;
        }
        return -EINPROGRESS;
}

static void supervisor_create(void *impl, const struct machine *m, const struct scope_properties *props,
                              port_done_fn done, void *userdata) {
        struct creation c = { impl, m, props, done, userdata };
        int r = m->cgroup ? create_now(&c) : 0; /* nothing to make: tracked by its leader alone */

        if (r == -EEXIST) {
                r = make_room(&c);
                if (r == -EINPROGRESS)
                        return;
                if (r >= 0)
                        r = create_now(&c);
        }
        done(userdata, r);
}

/* ---- signalling ---- */

/* Its own place in the tree; a machine without a unit may sit anywhere, beside anybody. */
static bool has_own_cgroup(const struct supervisor_cgroup *s, const struct machine *m) {
        return m->cgroup && m->unit && cgroup_host_is_of_machine(&s->host, m);
}

static void supervisor_kill_all(void *impl, const struct machine *m, int sig, port_done_fn done, void *userdata) {
        struct supervisor_cgroup *s = impl;
        int r = has_own_cgroup(s, m) ? cgroup_host_signal(&s->host, m->cgroup, sig) : -EFBIG;

        /* None of its own, or one with so many below it that others would wait: from process to process, by a helper. */
        if (r == -EFBIG)
                helper_kill_tree(s->helper, m, sig, done, userdata);
        else
                done(userdata, r == 0 ? -ESRCH : r < 0 ? r : 0);
}

static void on_tree_killed(void *userdata, int error) {
        /* Whether it worked shows when the leader dies, or the time to do so is over. */
}

/* ---- stopping ---- */

static void on_late(void *userdata, const struct machine *m, int step) {
        struct supervisor_cgroup *s = userdata;

        log_notice("Machine %s has not ended in time: killing it.", m->name);
        supervisor_kill_all(s, m, SIGKILL, on_tree_killed, NULL);
        s->process->signal(s->process->impl, &m->leader, SIGKILL);
}

static int supervisor_stop(void *impl, const struct machine *m) {
        struct supervisor_cgroup *s = impl;
        int r = stopping_add(s->stopping, m, s->stop_timeout_usec, 0);

        if (!stopping_is_for_supervisor(s->process, m) ||
            s->process->signal(s->process->impl, &m->supervisor, SIGTERM) < 0)
                supervisor_kill_all(s, m, m->kill_signal ? m->kill_signal : SIGTERM, on_tree_killed, NULL);
        return r;
}

/* ---- the end ---- */

static void supervisor_release(void *impl, const struct machine *m) {
        struct supervisor_cgroup *s = impl;

        stopping_forget(s->stopping, m);
        if (!m->scope_created || !m->cgroup)
                return;
        cgroup_reaper_add(s->reaper, m->cgroup, true);
}

static void supervisor_abandon(void *impl, const struct machine *m) {
        struct supervisor_cgroup *s = impl;

        stopping_forget(s->stopping, m);
        if (m->scope_created && m->cgroup)
                cgroup_reaper_add(s->reaper, m->cgroup, false);
}

static void supervisor_adopt(void *impl, const struct machine *m) {
        struct supervisor_cgroup *s = impl;
        struct adopted *a;

        if (!m->scope_created || !m->cgroup)
                return;
        a = calloc(1, sizeof(*a));
        if (!a || !(a->path = strdup(m->cgroup))) {
                free(a);
                return;
        }
        HASH_ADD_KEYPTR(hh, s->adopted, a->path, strlen(a->path), a);
        if (a->oom) {
                free(a->path);
                free(a);
        }
}

static bool is_adopted(void *userdata, const char *path) {
        struct supervisor_cgroup *s = userdata;
        struct adopted *a = NULL;

        HASH_FIND(hh, s->adopted, path, strlen(path), a);
        return a;
}

static void on_scope_found(void *userdata, const char *path) {
        struct supervisor_cgroup *s = userdata;

        cgroup_reaper_add(s->reaper, path, false);
}

static void supervisor_sweep(void *impl) {
        struct supervisor_cgroup *s = impl;
        struct adopted *a, *next;

        cgroup_host_each_scope(&s->host, is_adopted, on_scope_found, s);
        HASH_ITER (hh, s->adopted, a, next) {
                HASH_DEL(s->adopted, a);
                free(a->path);
                free(a);
        }
}

/* ---- for the reaper ---- */

static int reap_remove(void *impl, const char *path) {
        struct supervisor_cgroup *s = impl;

        return cgroup_host_remove(&s->host, path);
}

static void reap_kill(void *impl, const char *path) {
        struct supervisor_cgroup *s = impl;

        if (cgroup_host_is_ours(&s->host, path) > 0)
                cgroup_host_signal(&s->host, path, SIGKILL);
}

static int reap_events_file(void *impl, const char *path, char *ret, size_t size) {
        const struct supervisor_cgroup *s = impl;
        const char *below = cgroup_host_below(&s->host.layout.tracking, path);
        int n;

        if (!cgroup_host_tracks_v2(&s->host) || !below)
                return -EOPNOTSUPP;
        n = snprintf(ret, size, "/proc/self/fd/%d/%s/cgroup.events", s->host.tracking_fd, below);
        return n > 0 && (size_t) n < size ? 0 : -ENAMETOOLONG;
}

static void reap_gone(void *impl, const char *path, int error) {
        const struct supervisor_cgroup *s = impl;

        if (s->gone)
                s->gone(s->gone_userdata, path);
}

struct cgroup_host *supervisor_cgroup_host(struct supervisor_cgroup *s) {
        return &s->host;
}

struct cgroup_reaper *supervisor_cgroup_reaper(struct supervisor_cgroup *s) {
        return s->reaper;
}

void supervisor_cgroup_on_gone(struct supervisor_cgroup *s, void (*gone)(void *userdata, const char *path),
                               void *userdata) {
        s->gone = gone;
        s->gone_userdata = userdata;
}

int supervisor_cgroup_new(sd_event *e, const struct supervisor_cgroup_config *config, struct supervisor_cgroup **ret) {
        AUTO(supervisor_cgroup_freep) struct supervisor_cgroup *s = calloc(1, sizeof(*s));
        struct reaper_ops ops;
        int r;

        if (!s)
                return -ENOMEM;
        s->helper = config->helper;
        s->process = config->process;
        s->stop_timeout_usec = config->stop_timeout_usec ? config->stop_timeout_usec : STOP_TIMEOUT_USEC;
        r = cgroup_host_init(&s->host);
        if (r < 0)
                return r;
        ops = (struct reaper_ops){ s, reap_remove, reap_kill, reap_events_file, reap_gone };
        r = cgroup_reaper_new(e, &ops, &s->reaper);
        if (r >= 0)
                r = stopping_new(e, on_late, s, &s->stopping);
        if (r < 0)
                return r;
        *ret = STEAL(s);
        return 0;
}

void supervisor_cgroup_free(struct supervisor_cgroup *s) {
        if (!s)
                return;
        stopping_free(s->stopping);
        cgroup_reaper_free(s->reaper);
        cgroup_host_remove_slice(&s->host, DEFAULT_SLICE);
        cgroup_host_done(&s->host);
        free(s);
}

struct supervisor_port supervisor_cgroup_port(struct supervisor_cgroup *s) {
        return (struct supervisor_port){
                .impl = s,
                .locate = supervisor_locate,
                .locate_limits = supervisor_locate_limits,
                .plan = supervisor_plan,
                .create = supervisor_create,
                .kill_all = supervisor_kill_all,
                .stop = supervisor_stop,
                .release = supervisor_release,
                .abandon = supervisor_abandon,
                .adopt = supervisor_adopt,
                .sweep = supervisor_sweep,
                .stats = supervisor_stats,
        };
}

const char *supervisor_cgroup_describe(const struct supervisor_cgroup *s) {
        return s->host.describe;
}
