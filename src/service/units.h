/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service/units.h: the scope manager: what clients of a service manager may do with scopes on a host that has none. Its units
 * are the scopes that clients asked for, and, to be looked at, signalled, limited and stopped, those that we made for machines.
 * Who may call is the door's to have asked (VERB_MANAGE_UNITS): here is only what the verbs mean. */
#pragma once

#include "service/service.h"

struct units; /* opaque */

/* A unit, whichever kind it is; borrowed until anything is changed. */
struct unit_view {
        const char *name, *cgroup, *description, *controller; /* controller may be NULL */
        const char *slice;                                    /* NULL: as the cgroup says */
        enum unit_state state;
        int kill_signal;
        uint64_t stop_timeout_usec, realtime_usec, monotonic_usec;
        uint32_t job;      /* its stop job, 0: none */
        struct unit *unit; /* one of these two is NULL */
        const struct machine *machine;
};

/* What the door is told. */
struct unit_listener {
        void *impl;
        void (*unit_new)(void *impl, const struct unit *u);
        void (*unit_removed)(void *impl, const struct unit *u);
        void (*job_removed)(void *impl, uint32_t job, const char *unit);
        /* Asks u->controller to stop it. false: it cannot be asked. */
        bool (*request_stop)(void *impl, const struct unit *u);
};

/* s and port (copied) must outlive it. stop_timeout_usec: for who says nothing else. -ENOMEM. */
int units_new(struct service *s, const struct scope_port *port, uint64_t stop_timeout_usec, struct units **ret);
void units_free(struct units *x);
DEFINE_AUTO(struct units *, units_free)
void units_set_listener(struct units *x, const struct unit_listener *l);
/* Finds the scopes of an earlier life. After service_recover(). */
int units_recover(struct units *x);

/* ---- events ---- */
void units_emptied(struct units *x, const char *cgroup);
void units_late(struct units *x, struct unit *u);
void units_controller_gone(struct units *x, const char *bus_name); /* NULL: all of them */

/* ---- looking ---- */
bool units_find(struct units *x, const char *name, struct unit_view *ret);
/* -1 with FAULT_NO_UNIT_FOR_PID or FAULT_NO_SUCH_UNIT. */
int units_find_by_pid(struct units *x, pid_t pid, struct unit_view *ret, struct fault *f);
/* Without those of machines. */
const struct unit *units_first(const struct units *x);
const struct unit *units_next(const struct unit *u);
/* "" is the top. */
const char *units_root(const struct units *x);
int units_processes(struct units *x, const char *name, cgroup_process_fn found, void *userdata, struct fault *f);

/* ---- verbs: 0, or -1 with the fault set. by: who wants it, for the journal of machines ---- */
struct unit_start {
        struct unit *unit;             /* owned */
        struct scope_properties scope; /* slice and description are in the unit */
        struct pidref *processes;      /* owned, with their pidfds */
        size_t n_processes;
        bool dead; /* a process was given that lives no more */
};
void unit_start_done(struct units *x, struct unit_start *w);

/* *ret_job: the number of a job that is done already. w->unit is consumed. */
int units_start(struct units *x, struct unit_start *w, uint32_t *ret_job, struct fault *f);
/* *ret_job is removed when the unit is gone. */
int units_stop(struct units *x, const char *name, const struct caller *by, uint32_t *ret_job, struct fault *f);
int units_kill(struct units *x, const char *name, int sig, bool must_exist, const struct caller *by, struct fault *f);
int units_abandon(struct units *x, const char *name, struct fault *f);
int units_unref(struct units *x, const char *name, struct fault *f);
int units_limit(struct units *x, const char *name, const struct scope_properties *props, const struct caller *by,
                struct fault *f);
