/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scope manager. A state changes in apply() only, and its effects are carried out there only. */
#include "service/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "core/name.h"
#include "core/unitset.h"
#include "service/internal.h"

#define SIGNAL_MAX 64
#define MACHINE_JOBS_MAX 1024

/* A stop job of a machine's scope: the machine's record does not know of jobs. */
struct machine_job {
        uint32_t number;
        char *unit;
        struct machine_job *next;
};

struct units {
        struct service *service;
        struct scope_port port;
        struct unit_listener listener; /* impl NULL: nobody listens */
        struct unitset *set;
        struct machine_job *machine_jobs;
        size_t n_machine_jobs;
        uint32_t last_job;
        uint64_t stop_timeout_usec;
        char description[128]; /* of a machine's view */
};

static uint32_t new_job(struct units *x) {
        if (++x->last_job == 0)
                x->last_job = 1;
        return x->last_job;
}

/* ---- what a transition does ---- */

static void ask(struct units *x, struct unit *u) {
        if (u->controller && x->listener.impl && x->listener.request_stop(x->listener.impl, u))
                return;
        x->port.signal(x->port.impl, u->cgroup, u->kill_signal);
}

static void persist(struct units *x, const struct unit *u) {
        int r = x->port.save(x->port.impl, u);

        if (r < 0)
                log_warning_errno(r, "Cannot note the state of %s on its control group", u->name);
}

static void arm(struct units *x, struct unit *u) {
        int r = x->port.arm(x->port.impl, u, u->stop_timeout_usec);

        if (r < 0)
                log_warning_errno(r, "Nobody will see to it that %s ends in time", u->name);
}

static void kill_all(struct units *x, const struct unit *u) {
        log_notice("%s has not ended in time: killing it.", u->name);
        x->port.kill(x->port.impl, u);
}

static void forget(struct units *x, struct unit *u) {
        log_info("Scope %s is gone.", u->name);
        x->port.disarm(x->port.impl, u);
        if (x->listener.impl && u->job)
                x->listener.job_removed(x->listener.impl, u->job, u->name);
        if (x->listener.impl)
                x->listener.unit_removed(x->listener.impl, u);
        unitset_remove(x->set, u);
}

/* u may be gone afterwards. */
static void apply(struct units *x, struct unit *u, enum unit_event event) {
        struct unit_transition t = unit_transition(u->state, event);

        u->state = t.next;
        if (t.effects & UNIT_EFFECT_UNBIND)
                free(STEAL(u->controller));
        if (t.effects & UNIT_EFFECT_PERSIST)
                persist(x, u);
        if (t.effects & UNIT_EFFECT_ASK)
                ask(x, u);
        if (t.effects & UNIT_EFFECT_ARM)
                arm(x, u);
        if (t.effects & UNIT_EFFECT_FORGET)
                forget(x, u);
        else if (t.effects & UNIT_EFFECT_KILL)
                kill_all(x, u); /* the last: the unit may be gone with its processes */
}

void units_emptied(struct units *x, const char *cgroup) {
        struct unit *u = unitset_find_cgroup(x->set, cgroup);

        if (u)
                apply(x, u, UNIT_EVENT_EMPTY);
}

void units_late(struct units *x, struct unit *u) {
        apply(x, u, UNIT_EVENT_LATE);
}

void units_controller_gone(struct units *x, const char *bus_name) {
        for (struct unit *u = unitset_first(x->set), *next; u; u = next) {
                next = unitset_next(u);
                if (u->controller && (!bus_name || streq(u->controller, bus_name)))
                        apply(x, u, UNIT_EVENT_ORPHAN);
        }
}

/* ---- machines' scopes ---- */

static void on_machine_new(void *impl, const struct machine *m) {
}

static void on_machine_removed(void *impl, const struct machine *m) {
        struct units *x = impl;

        for (struct machine_job **p = &x->machine_jobs, *job; (job = *p);) {
                if (!streq_ptr(job->unit, m->unit)) {
                        p = &job->next;
                        continue;
                }
                *p = job->next;
                x->n_machine_jobs--;
                if (x->listener.impl)
                        x->listener.job_removed(x->listener.impl, job->number, job->unit);
                free(job->unit);
                free(job);
        }
}

static uint32_t machine_job(const struct units *x, const char *unit) {
        for (const struct machine_job *job = x->machine_jobs; job; job = job->next)
                if (streq(job->unit, unit))
                        return job->number;
        return 0;
}

static int add_machine_job(struct units *x, const char *unit, uint32_t *ret, struct fault *f) {
        struct machine_job *job;

        if (x->n_machine_jobs >= MACHINE_JOBS_MAX)
                return fault_set(f, FAULT_LIMIT, "Too many machines are being stopped.");
        job = calloc(1, sizeof(*job));
        if (!job || !(job->unit = strdup(unit))) {
                free(job);
                return fault_set_errno(f, -ENOMEM, "Out of memory.");
        }
        *ret = job->number = new_job(x);
        job->next = x->machine_jobs;
        x->machine_jobs = job;
        x->n_machine_jobs++;
        return 0;
}

static void view_machine(struct units *x, const struct machine *m, struct unit_view *ret) {
        snprintf(x->description, sizeof(x->description), "%s %s",
                 m->class == MACHINE_VM ? "Virtual Machine" : "Container", m->name);
        *ret = (struct unit_view){
                .name = m->unit,
                .cgroup = m->cgroup,
                .description = x->description,
                .state = m->state == MACHINE_CLOSING ? UNIT_STOPPING : UNIT_RUNNING,
                .kill_signal = UNIT_KILL_SIGNAL,
                .stop_timeout_usec = x->stop_timeout_usec,
                .realtime_usec = m->realtime_usec,
                .monotonic_usec = m->monotonic_usec,
                .job = machine_job(x, m->unit),
                .machine = m,
        };
}

/* ---- looking ---- */

static void view_unit(struct unit *u, struct unit_view *ret) {
        *ret = (struct unit_view){
                .name = u->name,
                .cgroup = u->cgroup,
                .description = u->description ? u->description : u->name,
                .controller = u->controller,
                .slice = u->slice,
                .state = u->state,
                .kill_signal = u->kill_signal,
                .stop_timeout_usec = u->stop_timeout_usec,
                .realtime_usec = u->realtime_usec,
                .monotonic_usec = u->monotonic_usec,
                .job = u->job,
                .unit = u,
        };
}

bool units_find(struct units *x, const char *name, struct unit_view *ret) {
        struct unit *u = unitset_find(x->set, name);
        const struct machine *m;

        if (u) {
                view_unit(u, ret);
                return true;
        }
        m = registry_find_unit(x->service->registry, name);
        if (!m || !m->scope_created || m->state == MACHINE_OPENING)
                return false;
        view_machine(x, m, ret);
        return true;
}

static int no_such_unit(struct fault *f, const char *name) {
        AUTO_FREE char *shown = str_escape(name, 64);

        return fault_set(f, FAULT_NO_SUCH_UNIT, "Unit %s not loaded: no such scope is known here.", strempty(shown));
}

static int need(struct units *x, const char *name, struct unit_view *ret, struct fault *f) {
        return units_find(x, name, ret) ? 0 : no_such_unit(f, name);
}

/* For what only scopes without a machine know. */
static int need_own(struct units *x, const char *name, struct unit_view *ret, struct fault *f) {
        if (need(x, name, ret, f) < 0)
                return -1;
        return ret->unit ? 0
                         : fault_set(f, FAULT_NOT_SUPPORTED, "%s is the scope of machine '%s', which looks after it.",
                                     name, ret->machine->name);
}

int units_find_by_pid(struct units *x, pid_t pid, struct unit_view *ret, struct fault *f) {
        const struct supervisor_port *supervisor = &x->service->ports.supervisor;
        struct placement p = { NULL, NULL, NULL };
        bool found;
        int r;

        r = supervisor->locate(supervisor->impl, pid, &p);
        found = r >= 0 && p.unit && units_find(x, p.unit, ret);
        placement_done(&p);
        return found ? 0
                     : fault_set(f, FAULT_NO_UNIT_FOR_PID, "Process %d does not belong to a scope that is known here.",
                                 (int) pid);
}

const struct unit *units_first(const struct units *x) {
        return unitset_first(x->set);
}

const struct unit *units_next(const struct unit *u) {
        return unitset_next(u);
}

const char *units_root(const struct units *x) {
        return x->port.root(x->port.impl);
}

int units_processes(struct units *x, const char *name, cgroup_process_fn found, void *userdata, struct fault *f) {
        struct unit_view v;
        int r;

        if (need(x, name, &v, f) < 0)
                return -1;
        r = x->port.processes(x->port.impl, v.cgroup, found, userdata);
        return r < 0 ? fault_set_errno(f, r, "Cannot list the processes of %s.", name) : 0;
}

/* ---- starting ---- */

void unit_start_done(struct units *x, struct unit_start *w) {
        const struct process_port *process = &x->service->ports.process;

        for (size_t i = 0; i < w->n_processes; i++)
                process->close(process->impl, &w->processes[i]);
        free(w->processes);
        unit_free(w->unit);
        scope_properties_done(&w->scope);
        *w = (struct unit_start){ .unit = NULL };
}

static int check_start(struct units *x, const struct unit_start *w, struct fault *f) {
        struct unit_view v;
        struct diag d = { .line = 0 };

        if (unit_check(w->unit, &d) < 0)
                return fault_set_argument(f, "properties", "%s", d.text);
        if (w->n_processes == 0 && w->dead)
                return fault_set(f, FAULT_NO_SUCH_PROCESS, "None of the processes for %s lives any more.",
                                 w->unit->name);
        if (w->n_processes == 0)
                return fault_set_argument(f, "properties", "A scope needs processes: PIDs or PIDFDs.");
        for (size_t i = 0; i < w->n_processes; i++)
                if (w->processes[i].pid == 1)
                        return fault_set_argument(f, "properties", "PID 1 cannot be put into a scope.");
        if (units_find(x, w->unit->name, &v))
                return fault_set(f, FAULT_UNIT_EXISTS, "Unit %s was already loaded: such a scope exists.", v.name);
        if (unitset_count(x->set) >= UNITS_MAX)
                return fault_set(f, FAULT_LIMIT, "There are %d scopes already.", UNITS_MAX);
        return 0;
}

static int start_fault(struct fault *f, int error, const struct diag *d, const struct unit *u) {
        if (error == -EEXIST)
                return fault_set(f, FAULT_UNIT_EXISTS, "%s", d->text[0] ? d->text : "Such a scope is still ending.");
        if (error == -EOPNOTSUPP && d->text[0])
                return fault_set(f, FAULT_NOT_SUPPORTED, "%s", d->text);
        if (error == -EINVAL && d->text[0])
                return fault_set_argument(f, "properties", "%s", d->text);
        if (error == -ESRCH)
                return fault_set(f, FAULT_NO_SUCH_PROCESS, "None of the processes for %s lives any more.", u->name);
        return fault_set_errno(f, error, "Cannot make the control group of %s.", u->name);
}

/* The control group with its note is the record: made first, it tells a later life of ours of the scope. */
static int make(struct units *x, struct unit_start *w, struct unit **ret, struct fault *f) {
        const struct clock_port *clock = &x->service->ports.clock;
        struct unit *u = w->unit;
        struct diag d = { .line = 0 };
        int r;

        if (!u->slice && str_replace(&u->slice, UNIT_DEFAULT_SLICE) < 0)
                return fault_set_errno(f, -ENOMEM, "Out of memory.");
        u->realtime_usec = clock->realtime_usec(clock->impl);
        u->monotonic_usec = clock->monotonic_usec(clock->impl);
        r = x->port.plan(x->port.impl, u, &w->scope, &u->cgroup, &d);
        if (r >= 0)
                r = x->port.create(x->port.impl, u, &w->scope, w->processes, w->n_processes, &d);
        if (r < 0)
                return start_fault(f, r, &d, u);
        r = unitset_add(x->set, &w->unit, ret);
        return r < 0 ? start_fault(f, r, &d, u) : 0; /* left alone, found again by the next life of ours */
}

int units_start(struct units *x, struct unit_start *w, uint32_t *ret_job, struct fault *f) {
        struct unit *u = NULL;
        int r;

        if (w->unit->stop_timeout_usec == 0)
                w->unit->stop_timeout_usec = x->stop_timeout_usec;
        if (check_start(x, w, f) < 0 || make(x, w, &u, f) < 0)
                return -1;
        log_info("Scope %s is running.", u->name);
        *ret_job = new_job(x);
        if (x->listener.impl)
                x->listener.unit_new(x->listener.impl, u);
        r = x->port.watch(x->port.impl, u);
        if (r < 0)
                log_warning_errno(r, "Nobody will notice when the last scope that was started is empty");
        return 0;
}

/* ---- the others ---- */

int units_stop(struct units *x, const char *name, const struct caller *by, uint32_t *ret_job, struct fault *f) {
        struct unit_view v;

        if (need(x, name, &v, f) < 0)
                return -1;
        *ret_job = v.job;
        if (v.unit) {
                if (!v.job)
                        *ret_job = v.unit->job = new_job(x);
                apply(x, v.unit, UNIT_EVENT_STOP);
                return 0;
        }
        if (!v.job && add_machine_job(x, name, ret_job, f) < 0)
                return -1;
        service_apply(x->service, registry_find_unit(x->service->registry, name), EVENT_TERMINATE, by);
        return 0;
}

int units_kill(struct units *x, const char *name, int sig, bool must_exist, const struct caller *by, struct fault *f) {
        struct unit_view v;
        int r;

        if (need(x, name, &v, f) < 0)
                return -1;
        if (sig < 1 || sig > SIGNAL_MAX)
                return fault_set_argument(f, "signal", "A signal is a number from 1 to %d, not %d.", SIGNAL_MAX, sig);
        if (v.machine)
                service_note_signal(x->service, v.machine, by, sig, KILL_ALL);
        r = x->port.signal(x->port.impl, v.cgroup, sig);
        if (r < 0)
                return fault_set_errno(f, r, "Cannot signal %s.", name);
        if (r == 0 && must_exist)
                return fault_set_errno(f, -ESRCH, "%s has no process to signal.", name);
        return 0;
}

int units_abandon(struct units *x, const char *name, struct fault *f) {
        struct unit_view v;

        if (need_own(x, name, &v, f) < 0)
                return -1;
        if (v.state == UNIT_KILLING)
                return fault_set(f, FAULT_UNIT_NOT_RUNNING, "Scope %s is not running, cannot abandon.", name);
        apply(x, v.unit, UNIT_EVENT_ABANDON);
        return 0;
}

int units_unref(struct units *x, const char *name, struct fault *f) {
        struct unit_view v;

        if (need_own(x, name, &v, f) < 0)
                return -1;
        if (!v.unit->referenced)
                return fault_set(f, FAULT_NOT_REFERENCED, "Unit %s is not referenced.", name);
        v.unit->referenced = false;
        persist(x, v.unit);
        return 0;
}

/* The first few of what was set. */
static void note_limits(struct units *x, const struct machine *m, const struct scope_properties *props,
                        const struct caller *by) {
        struct event_detail details[EVENT_DETAILS_MAX + 1] = { { NULL, NULL } };
        char values[EVENT_DETAILS_MAX][24];
        size_t n = 0;

        for (int i = 0; i < _RESOURCE_MAX && n < EVENT_DETAILS_MAX; i++) {
                if (!scope_has(props, (enum resource) i))
                        continue;
                if (props->resources[i] == RESOURCE_UNLIMITED)
                        snprintf(values[n], sizeof(values[n]), "infinity");
                else
                        snprintf(values[n], sizeof(values[n]), "%llu", (unsigned long long) props->resources[i]);
                details[n] = (struct event_detail){ resource_to_string((enum resource) i), values[n] };
                n++;
        }
        service_event(x->service, EVENT_KIND_LIMIT, m, by, details);
}

int units_limit(struct units *x, const char *name, const struct scope_properties *props, const struct caller *by,
                struct fault *f) {
        struct unit_view v;
        struct diag d = { .line = 0 };
        int r;

        if (need(x, name, &v, f) < 0)
                return -1;
        r = x->port.limit(x->port.impl, v.cgroup, props, &d);
        if (r == -EOPNOTSUPP && d.text[0])
                return fault_set(f, FAULT_NOT_SUPPORTED, "%s", d.text);
        if (r == -EINVAL && d.text[0])
                return fault_set_argument(f, "properties", "%s", d.text);
        if (r < 0)
                return fault_set_errno(f, r, "Cannot change the limits of %s.", name);
        if (v.machine)
                note_limits(x, v.machine, props, by);
        return 0;
}

/* ---- start and end of ours ---- */

int units_new(struct service *s, const struct scope_port *port, uint64_t stop_timeout_usec, struct units **ret) {
        AUTO(units_freep) struct units *x = calloc(1, sizeof(*x));
        struct notify_port machines;
        int r;

        if (!x)
                return -ENOMEM;
        x->service = s;
        x->port = *port;
        x->stop_timeout_usec = stop_timeout_usec;
        r = unitset_new(&x->set);
        if (r < 0)
                return r;
        machines = (struct notify_port){ x, on_machine_new, on_machine_removed };
        r = service_add_listener(s, &machines);
        if (r < 0)
                return r;
        *ret = STEAL(x);
        return 0;
}

void units_free(struct units *x) {
        if (!x)
                return;
        while (x->machine_jobs) {
                struct machine_job *job = x->machine_jobs;

                x->machine_jobs = job->next;
                free(job->unit);
                free(job);
        }
        for (struct unit *u = x->set ? unitset_first(x->set) : NULL; u; u = unitset_next(u))
                x->port.disarm(x->port.impl, u);
        unitset_free(x->set);
        free(x);
}

void units_set_listener(struct units *x, const struct unit_listener *l) {
        x->listener = *l;
}

/* Jobs end with the connection that they were answered on. */
static void recover_one(void *userdata, struct unit *record) {
        AUTO(unit_freep) struct unit *found = record;
        struct units *x = userdata;
        struct unit *u = NULL;
        bool stopping = found->state == UNIT_STOPPING, killing = found->state == UNIT_KILLING;

        if (unitset_add(x->set, &found, &u) < 0)
                return;
        if (stopping && !u->controller) /* the door asks the controllers, once it can */
                ask(x, u);
        if (stopping)
                arm(x, u);
        if (killing)
                x->port.kill(x->port.impl, u);
        else
                x->port.watch(x->port.impl, u);
}

int units_recover(struct units *x) {
        return x->port.load(x->port.impl, recover_one, x);
}
