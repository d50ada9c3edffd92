/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-ports.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/name.h"

static void note(struct fake *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct fake *f, const char *format, ...) {
        size_t n = strlen(f->log);
        va_list ap;

        va_start(ap, format);
        vsnprintf(f->log + n, sizeof(f->log) - n, format, ap);
        va_end(ap);
        strncat(f->log, ";", sizeof(f->log) - strlen(f->log) - 1);
}

bool fake_happened(const struct fake *f, const char *what) {
        char wanted[128];

        snprintf(wanted, sizeof(wanted), "%s;", what);
        return strstr(f->log, wanted);
}

void fake_forget_log(struct fake *f) {
        f->log[0] = '\0';
}

/* ---- processes ---- */

static bool is_dead(const struct fake *f, pid_t pid) {
        for (size_t i = 0; i < f->n_dead; i++)
                if (f->dead[i] == pid)
                        return true;
        return false;
}

static int fake_open(void *impl, pid_t pid, int fd, struct pidref *ret) {
        if (pid <= 0 || is_dead(impl, pid))
                return -ESRCH;
        *ret = (struct pidref){ .pid = pid, .fd = -EBADF, .id = 1000 + (uint64_t) pid };
        return 0;
}

static void fake_close(void *impl, struct pidref *p) {
}

static int fake_reopen(void *impl, struct pidref *p) {
        return is_dead(impl, p->pid) ? -ESRCH : 0;
}

static bool fake_is_alive(void *impl, const struct pidref *p) {
        return !is_dead(impl, p->pid);
}

static int fake_belongs_to(void *impl, const struct pidref *p, uid_t uid) {
        return p->pid >= 1000 && (uid_t) p->pid / 1000 == uid / 1000; /* process 1234 belongs to user 1000 */
}

static int fake_parent(void *impl, pid_t pid, pid_t *ret) {
        if (pid <= 1)
                return -ESRCH;
        *ret = pid == 77 ? 10 : 1;
        return 0;
}

static int fake_signal(void *impl, const struct pidref *p, int sig) {
        note(impl, "signal %d %d", (int) p->pid, sig);
        return is_dead(impl, p->pid) ? -ESRCH : 0;
}

static int fake_watch(void *impl, struct machine *m) {
        struct fake *f = impl;

        note(f, "watch %s", m->name);
        return f->watch_error;
}

static void fake_unwatch(void *impl, struct machine *m) {
        note(impl, "unwatch %s", m->name);
}

static int fake_id_map(void *impl, const struct pidref *p, bool gid, struct idmap *ret) {
        struct idmap_range *g;
        struct fake *f = impl;

        f->n_maps_read++;
        if (is_dead(impl, p->pid))
                return -ESRCH;
        g = calloc(1, sizeof(*g));
        if (!g)
                return -ENOMEM;
        *g = (struct idmap_range){ 0, (uint32_t) p->pid * 100000, 65536 };
        *ret = (struct idmap){ g, 1 };
        return 0;
}

/* ---- where machines live ---- */

static int fake_locate(void *impl, pid_t pid, struct placement *ret) {
        struct fake *f = impl;

        *ret = (struct placement){ NULL, NULL, NULL };
        if (f->unit) {
                ret->unit = strdup(f->unit);
                ret->cgroup = strdup("/somewhere");
        }
        return 0;
}

static int fake_plan(void *impl, const char *name, const struct scope_properties *props, struct placement *ret,
                     struct diag *d) {
        struct fake *f = impl;

        *ret = (struct placement){ NULL, NULL, NULL };
        if (!f->cgroups)
                return 0;
        ret->cgroup = strdup("/machine.slice/x");
        return machine_scope_name(name, &ret->unit);
}

static void fake_create(void *impl, const struct machine *m, const struct scope_properties *props, port_done_fn done,
                        void *userdata) {
        struct fake *f = impl;

        note(f, "create %s", m->name);
        if (f->hold_create) {
                f->create_done = done;
                f->create_userdata = userdata;
                return;
        }
        done(userdata, f->create_error);
}

static void fake_kill_all(void *impl, const struct machine *m, int sig, port_done_fn done, void *userdata) {
        note(impl, "kill_all %s %d", m->name, sig);
        done(userdata, 0);
}

static int fake_stop(void *impl, const struct machine *m) {
        note(impl, "stop %s", m->name);
        return 0;
}

#define NOTING(verb)                                                   \
        static void fake_##verb(void *impl, const struct machine *m) { \
                note(impl, #verb " %s", m->name);                      \
        }
NOTING(release)
NOTING(abandon)
NOTING(adopt)
NOTING(new)
NOTING(removed)

static void fake_sweep(void *impl) {
        note(impl, "sweep");
}

/* ---- records ---- */

static int fake_save(void *impl, const struct machine *m) {
        struct fake *f = impl;
        int error = f->save_error;

        f->save_error = 0;
        note(f, "save %s %s", m->name, machine_state_to_string(m->state));
        return error;
}

static int fake_drop(void *impl, const struct machine *m) {
        note(impl, "drop %s", m->name);
        return 0;
}

static int fake_load(void *impl, void (*found)(void *userdata, struct machine *m), void *userdata) {
        struct fake *f = impl;

        for (size_t i = 0; i < ELEMENTS(f->records); i++)
                if (f->records[i])
                        found(userdata, STEAL(f->records[i]));
        return 0;
}

static int fake_event_save(void *impl, const struct event *e) {
        struct fake *f = impl;

        if (!event_is_valid(e))
                abort();
        if (e->actor_uid == EVENT_NOBODY)
                note(f, "event %s %s -", e->kind, e->machine);
        else
                note(f, "event %s %s %u %d", e->kind, e->machine, (unsigned) e->actor_uid, (int) e->actor_pid);
        return 0;
}

static int fake_event_load(void *impl, void (*found)(void *userdata, struct event *e), void *userdata,
                           uint64_t *ret_last) {
        struct fake *f = impl;

        *ret_last = f->journal_last;
        for (size_t i = 0; i < ELEMENTS(f->journal); i++)
                if (f->journal[i]) {
                        if (f->journal[i]->sequence > *ret_last)
                                *ret_last = f->journal[i]->sequence;
                        found(userdata, STEAL(f->journal[i]));
                }
        return 0;
}

/* ---- permission, inspection, time ---- */

static void fake_ask(void *impl, const struct caller *caller, const char *action, const struct auth_detail *details,
                     void (*answer)(void *userdata, enum auth_result result), void *userdata, void **ret_handle) {
        struct fake *f = impl;

        note(f, "ask %s", action);
        if (!f->hold_auth) {
                answer(userdata, f->auth_result);
                return;
        }
        f->auth_answer = answer;
        f->auth_userdata = userdata;
        *ret_handle = f;
}

static void fake_cancel(void *impl, void *handle) {
        struct fake *f = impl;

        note(f, "cancel");
        f->auth_answer = NULL;
}

static int fake_image_exists(void *impl, const char *name) {
        return strcmp(name, "image") == 0;
}

static void fake_inspect(void *impl, const struct machine *m, inspect_fn answer, void *userdata) {
        struct inspect_result result = { .error = -EHOSTUNREACH };

        answer(userdata, &result);
}

static void fake_inspect_both(void *impl, const struct machine *m, inspect_fn addresses, inspect_fn os_release,
                              void *userdata) {
        fake_inspect(impl, m, addresses, userdata);
        fake_inspect(impl, m, os_release, userdata);
}

static int fake_shares_users(void *impl, const struct pidref *p) {
        struct fake *f = impl;

        return f->shares_users;
}

static int fake_enter(void *impl, const struct machine *m, const struct session *s) {
        struct fake *f = impl;

        note(f, "enter %s %s", m->name, s->arguments ? s->arguments[0] : "");
        f->entered_by = s->caller;
        return f->enter_error;
}

static void fake_enter_open(void *impl, const struct machine *m, const struct session *s, opened_fn answer,
                            void *userdata) {
        struct opened result = { .error = fake_enter(impl, m, s), .text = "why", .fd = 7, .path = "/dev/pts/3" };

        answer(userdata, &result);
}

static int fake_send_log(void *impl, const char *name, int socket) {
        note(impl, "log of %s", name);
        return socket < 0 ? -ENOTSOCK : 0;
}

static int fake_transfer(void *impl, const struct machine *m, const struct transfer *t, transferred_fn done,
                         void *userdata, void **ret_handle) {
        struct fake *f = impl;
        size_t i = 0;

        note(f, "transfer %s %s %s", m->name, strempty(t->source), strempty(t->destination));
        if (f->transfer_error < 0)
                return f->transfer_error;
        while (f->transfer_done[i])
                i++;
        f->transfer_done[i] = done;
        f->transfer_userdata[i] = userdata;
        *ret_handle = &f->transfer_done[i];
        return 0;
}

static void fake_transfer_cancel(void *impl, void *handle) {
        struct fake *f = impl;

        note(f, "cancel-transfer %d", (int) ((transferred_fn *) handle - f->transfer_done));
}

static uint64_t fake_clock(void *impl) {
        struct fake *f = impl;

        return f->now++;
}

void fake_init(struct fake *f) {
        struct machine *host = NULL;
        struct notify_port listener = { f, fake_new, fake_removed };

        *f = (struct fake){ .cgroups = true, .now = 42 };
        f->ports = (struct ports){
                .process = { f, fake_open, fake_close, fake_reopen, fake_is_alive, fake_belongs_to, fake_parent,
                             fake_signal, fake_watch, fake_unwatch, fake_id_map, fake_shares_users },
                .supervisor = { f, fake_locate, fake_plan, fake_create, fake_kill_all, fake_stop, fake_release,
                                fake_abandon, fake_adopt, fake_sweep },
                .store = { f, fake_save, fake_drop, fake_load },
                .auth = { f, fake_ask, fake_cancel },
                .inspect = { f, fake_inspect, fake_inspect, fake_inspect_both, fake_inspect },
                .enter = { f, fake_enter, fake_enter_open },
                .console_logs = { f, fake_send_log },
                .transfer = { f, fake_transfer, fake_transfer_cancel },
                .images = { f, fake_image_exists },
                .events = { f, fake_event_save, fake_event_load, .max_events = 64, .max_bytes = 1 << 20 },
                .clock = { f, fake_clock, fake_clock },
        };
        if (machine_new(HOST_MACHINE_NAME, &host) < 0)
                abort();
        host->class = MACHINE_HOST;
        host->leader.pid = 1;
        if (service_new(&f->ports, 1, &host, &f->service) < 0 || service_add_listener(f->service, &listener) < 0)
                abort();
}

void fake_done(struct fake *f) {
        service_free(f->service);
        for (size_t i = 0; i < ELEMENTS(f->records); i++)
                machine_free(f->records[i]);
        for (size_t i = 0; i < ELEMENTS(f->journal); i++)
                free(f->journal[i]);
}

void fake_kill(struct fake *f, pid_t pid) {
        f->dead[f->n_dead++] = pid;
        for (struct machine *m = service_first(f->service, false); m; m = service_next(f->service, m))
                if (m->leader.pid == pid) {
                        service_leader_exited(f->service, m);
                        return;
                }
}

void fake_answer_auth(struct fake *f, enum auth_result result) {
        void (*answer)(void *userdata, enum auth_result r) = f->auth_answer;

        f->auth_answer = NULL;
        if (answer)
                answer(f->auth_userdata, result);
}

void fake_finish_create(struct fake *f, int error) {
        port_done_fn done = f->create_done;

        f->create_done = NULL;
        done(f->create_userdata, error);
}

void fake_finish_transfer(struct fake *f, size_t n, int error, const char *text) {
        const struct transferred result = { error, text };
        transferred_fn done = f->transfer_done[n];

        f->transfer_done[n] = NULL;
        done(f->transfer_userdata[n], &result);
}
