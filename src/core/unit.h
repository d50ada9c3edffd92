/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/unit.h: a scope that a client asked for without a machine (musterd --scope-manager): its record, what a request for
 * one may say, and its life as one table. The scopes of machines are not among them: those live as core/machine.h says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/diag.h"
#include "base/table.h"

#define UNITS_MAX 8192
#define UNIT_PROCESSES_MAX 256 /* that one request may put into a scope */
#define UNIT_DESCRIPTION_MAX 1024
#define UNIT_CONTROLLER_MAX 255
#define UNIT_KILL_SIGNAL 15 /* SIGTERM */
#define UNIT_DEFAULT_SLICE "system.slice"

enum unit_state {
        UNIT_RUNNING,
        UNIT_ABANDONED, /* its controller has let go of it: it goes when it is empty */
        UNIT_STOPPING,  /* asked to end */
        UNIT_KILLING,   /* has not ended in time */
        UNIT_GONE,
        _UNIT_STATE_MAX,
};
DECLARE_TABLE(unit_state, enum unit_state); /* as systemd spells SubState: "running", "stop-sigterm" ... */

enum unit_event {
        UNIT_EVENT_STOP,    /* somebody asked to stop it */
        UNIT_EVENT_ABANDON, /* its controller lets go of it */
        UNIT_EVENT_ORPHAN,  /* its controller has left the bus */
        UNIT_EVENT_LATE,    /* the time to end by itself is over */
        UNIT_EVENT_EMPTY,   /* no process is left, the control group is gone */
        _UNIT_EVENT_MAX,
};
DECLARE_TABLE(unit_event, enum unit_event);

enum unit_effect {
        UNIT_EFFECT_UNBIND = 1 << 0,  /* forget the controller */
        UNIT_EFFECT_ASK = 1 << 1,     /* the controller, or else the processes, to end */
        UNIT_EFFECT_ARM = 1 << 2,     /* LATE comes after the unit's stop time */
        UNIT_EFFECT_KILL = 1 << 3,    /* everything in it */
        UNIT_EFFECT_PERSIST = 1 << 4, /* note it on the control group */
        UNIT_EFFECT_FORGET = 1 << 5,  /* finish its job, announce the removal, free it */
        UNIT_EFFECT_STAY = 1 << 6,    /* explicitly nothing */
};

struct unit_transition {
        enum unit_state next;
        uint32_t effects; /* never 0 */
};

/* Total over both enums. */
struct unit_transition unit_transition(enum unit_state state, enum unit_event event);
/* "active" or "deactivating", as systemd has ActiveState. */
const char *unit_active_state(enum unit_state state);

struct unit {
        char *name; /* "NAME.scope" */
        char *slice;
        char *cgroup;      /* as in /proc/PID/cgroup */
        char *description; /* NULL: its name */
        char *controller;  /* unique bus name of who is asked to stop it; NULL: its processes are */
        enum unit_state state;
        bool referenced; /* AddRef: UnrefUnit has something to give back */
        int kill_signal;
        uint64_t stop_timeout_usec; /* UINT64_MAX: never killed */
        uint64_t realtime_usec, monotonic_usec;

        uint32_t job;      /* number of the pending stop job; 0: none */
        void *index, *arm; /* private to core/unitset.c and to the scope port */
};

/* Takes a copy of name. -ENOMEM. */
int unit_new(const char *name, struct unit **ret);
void unit_free(struct unit *u);
DEFINE_AUTO(struct unit *, unit_free)

/* A unit name that ends in ".scope", and is more than that. */
bool scope_unit_name_is_valid(const char *s);
/* A unique bus name, such as ":1.42". */
bool unit_controller_is_valid(const char *s);
/* Is what the client wants of the record possible? -EINVAL with field and sentence in d. */
int unit_check(const struct unit *u, struct diag *d);
