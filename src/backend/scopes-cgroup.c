/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A scope is one directory (on v1: several); its record is an extended attribute of it. So there is no file that could
 * outlive the scope, and none that could be missing: what carries our mark and a note is a scope, before and after a crash. */
#include "backend/scopes-cgroup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "codec/unit-record.h"
#include "sys/cgroup-signal.h"
#include "sys/cgroup.h"
#include "sys/procfs.h"

struct scopes_cgroup {
        sd_event *event;
        struct scopes_cgroup_config config;
        struct cgroup_host *host;
        struct cgroup_reaper *reaper;
};

struct alarm {
        struct scopes_cgroup *scopes;
        struct unit *unit;
        sd_event_source *timer;
};

/* ---- making ---- */

static int scopes_plan(void *impl, const struct unit *u, const struct scope_properties *props, char **ret_cgroup,
                       struct diag *d) {
        struct scopes_cgroup *s = impl;
        AUTO_FREE char *path = NULL;
        int r;

        if (!cgroup_host_has_tracking(s->host))
                return diag_set(d, -EOPNOTSUPP, NULL, "This host has no control group hierarchy to make a scope in.");
        r = cgroup_host_check(s->host, props, d);
        if (r >= 0)
                r = cgroup_host_scope_path(s->host, u->slice, u->name, &path);
        if (r < 0)
                return r;
        if (cgroup_host_is_ours(s->host, path) == 0)
                return diag_set(d, -EEXIST, NULL, "Another program has made a control group of that name.");
        *ret_cgroup = STEAL(path);
        return 0;
}

static bool is_alive(const struct scopes_cgroup *s, const struct pidref *p) {
        return s->config.process->is_alive(s->config.process->impl, p);
}

/* A dead scope of that name that the reaper has not got to yet is in nobody's way. */
static int create_with(struct scopes_cgroup *s, const struct cgroup_wanted *w, const struct scope_properties *props,
                       struct diag *d) {
        int r = cgroup_host_create(s->host, w, props, d);

        if (r != -EEXIST || cgroup_host_is_ours(s->host, w->path) <= 0 || cgroup_host_remove(s->host, w->path) < 0)
                return r;
        return cgroup_host_create(s->host, w, props, d);
}

static int scopes_create(void *impl, const struct unit *u, const struct scope_properties *props,
                         const struct pidref *processes, size_t n, struct diag *d) {
        struct scopes_cgroup *s = impl;
        AUTO_BUF struct buf note = BUF_EMPTY;
        struct cgroup_wanted w = { .path = u->cgroup, .mark = CGROUP_MARK_UNIT };
        size_t i;
        int r;

        r = unit_record_encode(u, &note);
        if (r < 0)
                return r;
        if (note.size > CGROUP_NOTE_MAX)
                return -E2BIG;
        w.note = note.data;
        r = -ESRCH;
        for (i = 0; i < n && r == -ESRCH; i++) {
                w.pid = processes[i].pid;
                r = is_alive(s, &processes[i]) ? create_with(s, &w, props, d) : -ESRCH;
        }
        if (r < 0)
                return r;
        for (; i < n; i++) {
                int error = is_alive(s, &processes[i]) ? cgroup_host_join(s->host, u->cgroup, processes[i].pid) : 0;

                if (error < 0 && error != -ESRCH)
                        log_warning_errno(error, "Cannot move process %d into %s", (int) processes[i].pid, u->name);
        }
        return 0;
}

static int scopes_save(void *impl, const struct unit *u) {
        struct scopes_cgroup *s = impl;
        AUTO_CLOSE int fd = cgroup_host_open(s->host, u->cgroup);
        AUTO_BUF struct buf note = BUF_EMPTY;
        int r;

        r = fd < 0 ? fd : unit_record_encode(u, &note);
        return r < 0 ? r : cgroup_note(fd, note.data);
}

static int scopes_watch(void *impl, const struct unit *u) {
        struct scopes_cgroup *s = impl;

        return cgroup_reaper_add(s->reaper, u->cgroup, false);
}

static int scopes_limit(void *impl, const char *cgroup, const struct scope_properties *props, struct diag *d) {
        struct scopes_cgroup *s = impl;

        return cgroup_host_limit(s->host, cgroup, props, d);
}

/* ---- ending ---- */

static int scopes_signal(void *impl, const char *cgroup, int sig) {
        struct scopes_cgroup *s = impl;

        return cgroup_host_signal(s->host, cgroup, sig);
}

static void scopes_kill(void *impl, const struct unit *u) {
        struct scopes_cgroup *s = impl;

        cgroup_reaper_add(s->reaper, u->cgroup, true);
}

static void scopes_disarm(void *impl, struct unit *u) {
        struct alarm *a = STEAL(u->arm);

        if (!a)
                return;
        sd_event_source_disable_unref(a->timer);
        free(a);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        const struct alarm *a = userdata;
        struct scopes_cgroup *s = a->scopes;
        struct unit *u = a->unit;

        scopes_disarm(s, u);
        s->config.late(s->config.userdata, u);
        return 0;
}

static int scopes_arm(void *impl, struct unit *u, uint64_t usec) {
        struct scopes_cgroup *s = impl;
        struct alarm *a;
        int r;

        scopes_disarm(s, u);
        if (usec == UINT64_MAX)
                return 0;
        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        *a = (struct alarm){ .scopes = s, .unit = u };
        r = sd_event_add_time_relative(s->event, &a->timer, CLOCK_MONOTONIC, usec, 0, on_late, a);
        if (r < 0) {
                free(a);
                return r;
        }
        u->arm = a;
        return 0;
}

/* ---- looking ---- */

struct listing {
        cgroup_process_fn found;
        void *userdata;
};

/* The name, not the command line: to read that is to wait for the memory of a process that may have arranged for it never to
 * come. */
static int on_process(void *userdata, const char *path, pid_t pid) {
        const struct listing *l = userdata;
        AUTO_FREE char *text = NULL, *shown = NULL;
        size_t size = 0;

        if (proc_read(pid, "comm", &text, &size) < 0)
                return 0; /* it has ended meanwhile */
        text[strcspn(text, "\n")] = '\0';
        shown = str_escape(text, size);
        return shown ? l->found(l->userdata, path, pid, shown) : -ENOMEM;
}

static int scopes_processes(void *impl, const char *cgroup, cgroup_process_fn found, void *userdata) {
        struct scopes_cgroup *s = impl;
        AUTO_CLOSE int fd = cgroup_host_open(s->host, cgroup);
        struct listing l = { found, userdata };

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (cgroup_is_large(fd))
                return -EFBIG;
        return cgroup_each_process(fd, cgroup, on_process, &l);
}

/* ---- after a restart ---- */

struct loading {
        struct scopes_cgroup *scopes;
        void (*found)(void *userdata, struct unit *u);
        void *userdata;
};

/* A path may come again for each v1 hierarchy; the note is on the tracking one, which comes first. */
static void on_scope(void *userdata, const char *path) {
        struct loading *l = userdata;
        AUTO_CLOSE int fd = cgroup_host_open(l->scopes->host, path);
        char mark[CGROUP_MARK_MAX + 1], note[CGROUP_NOTE_MAX + 1];
        struct unit *u = NULL;
        size_t size;
        int r;

        if (fd < 0 || !cgroup_marked(fd, mark) || !streq(mark, CGROUP_MARK_UNIT))
                return;
        size = cgroup_noted(fd, note);
        r = unit_record_decode(path, note, size, &u);
        if (r < 0)
                log_warning_errno(r, "Cannot read what is noted of the scope %s, leaving it alone", path);
        else
                l->found(l->userdata, u);
}

static int scopes_load(void *impl, void (*found)(void *userdata, struct unit *u), void *userdata) {
        struct scopes_cgroup *s = impl;
        struct loading l = { s, found, userdata };

        cgroup_host_each_scope(s->host, NULL, on_scope, &l);
        return 0;
}

static const char *scopes_root(void *impl) {
        const struct scopes_cgroup *s = impl;

        return strempty(s->host->layout.tracking.prefix);
}

static void on_gone(void *userdata, const char *path) {
        const struct scopes_cgroup *s = userdata;

        s->config.emptied(s->config.userdata, path);
}

int scopes_cgroup_new(sd_event *e, const struct scopes_cgroup_config *config, struct scopes_cgroup **ret) {
        struct scopes_cgroup *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(e);
        s->config = *config;
        s->host = supervisor_cgroup_host(config->supervisor);
        s->reaper = supervisor_cgroup_reaper(config->supervisor);
        supervisor_cgroup_on_gone(config->supervisor, on_gone, s);
        *ret = s;
        return 0;
}

void scopes_cgroup_free(struct scopes_cgroup *s) {
        if (!s)
                return;
        supervisor_cgroup_on_gone(s->config.supervisor, NULL, NULL);
        sd_event_unref(s->event);
        free(s);
}

struct scope_port scopes_cgroup_port(struct scopes_cgroup *s) {
        return (struct scope_port){
                .impl = s,
                .plan = scopes_plan,
                .create = scopes_create,
                .save = scopes_save,
                .watch = scopes_watch,
                .limit = scopes_limit,
                .signal = scopes_signal,
                .kill = scopes_kill,
                .arm = scopes_arm,
                .disarm = scopes_disarm,
                .processes = scopes_processes,
                .load = scopes_load,
                .root = scopes_root,
        };
}
