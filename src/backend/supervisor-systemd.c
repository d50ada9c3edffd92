/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines as units of systemd (org.freedesktop.systemd1(5)). A machine that has a unit to itself is stopped and killed as
 * that unit; one that shares a unit with others, by its own control group, which we may signal without asking. A unit that
 * lingers never keeps a machine: who lives is known from the leader alone. */
#include "backend/supervisor-systemd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/stopping.h"
#include "backend/systemd-stop.h"
#include "base/log.h"
#include "base/str.h"
#include "core/name.h"
#include "sys/procfs.h"

#define DEFAULT_SLICE "machine.slice"
#define STOP_TIMEOUT_USEC UINT64_C(10000000)
#define BUS_SOON_USEC UINT64_C(3000000)

enum stop_step {
        STOP_ASK,       /* once there is a bus again */
        STOP_ASK_AGAIN, /* for the last time: the manager could not, or did not answer */
        STOP_TAKE_BACK, /* likewise: a start that was never finished */
        STOP_INSIST,    /* it had its time */
};

/* A KillUnit() on its way. */
struct killing {
        struct killing *previous, *next;
        struct supervisor_systemd *s;
        sd_bus_slot *slot;
        port_done_fn done;
        void *userdata;
};

struct supervisor_systemd {
        struct supervisor_systemd_config config;
        struct cgroup_host host;
        struct systemd_scopes *scopes;
        struct stopping *stopping;
        struct killing *kills;
        struct systemd_stops *stops;
        bool recovered; /* the records of our predecessor are read; there may be a bus from now on */
};

static sd_bus *get_bus(const struct supervisor_systemd *s) {
        return s->config.get_bus(s->config.userdata);
}

/* Nothing more is done to end m: it has ended, or is none of ours any more. */
static bool forget_stop(struct supervisor_systemd *s, const struct machine *m) {
        systemd_stop_forget(s->stops, m->name);
        return stopping_forget(s->stopping, m);
}

/* ---- where ---- */

static int port_locate(void *impl, pid_t pid, struct placement *ret) {
        struct supervisor_systemd *s = impl;

        return cgroup_host_place(&s->host, pid, ret);
}

static void port_stats(void *impl, const struct machine *m, struct machine_stats *ret) {
        struct supervisor_systemd *s = impl;

        if (m->cgroup)
                cgroup_host_stats(&s->host, m->cgroup, ret);
}

static int port_plan(void *impl, const char *name, const struct scope_properties *props, struct placement *ret,
                     struct diag *d) {
        struct supervisor_systemd *s = impl;
        struct placement p = { NULL, NULL, NULL };
        AUTO_FREE char *below = NULL;
        int r;

        r = slice_path(props->slice ? props->slice : DEFAULT_SLICE, &below);
        if (r == -EINVAL)
                return diag_set(d, r, "Slice", "Slice must be the name of a slice, such as machine.slice.");
        if (r < 0)
                return r;
        r = machine_scope_name(name, &p.unit);
        if (r < 0)
                return r;
        if (asprintf(&p.cgroup, "%s%s%s/%s", strempty(s->host.layout.tracking.prefix), *below ? "/" : "", below,
                     p.unit) < 0) {
                p.cgroup = NULL;
                placement_done(&p);
                return -ENOMEM;
        }
        *ret = p;
        return 0;
}

static void port_create(void *impl, const struct machine *m, const struct scope_properties *props, port_done_fn done,
                        void *userdata) {
        struct supervisor_systemd *s = impl;

        if (forget_stop(s, m)) /* of that name, from before we were started */
                systemd_scope_take_back(get_bus(s), m->unit);
        systemd_scope_start(s->scopes, m, props, done, userdata);
}

static const struct refusal *port_refusal(void *impl) {
        struct supervisor_systemd *s = impl;

        return systemd_scopes_refusal(s->scopes);
}

/* ---- signalling ---- */

static void killing_finish(struct killing *k, int error) {
        struct killing end = *k;

        if (k->previous)
                k->previous->next = k->next;
        else
                k->s->kills = k->next;
        if (k->next)
                k->next->previous = k->previous;
        sd_bus_slot_unref(k->slot);
        free(k);
        end.done(end.userdata, error);
}

/* Of errors without an errno of their own only these two say more than that it did not work (registry.md section 3). */
static int error_of(sd_bus_message *m) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int number;

        if (!error)
                return 0;
        if (sd_bus_error_has_name(error, SYSTEMD_ERROR("NoSuchUnit")) ||
            sd_bus_error_has_name(error, SYSTEMD_ERROR("NoSuchProcess")))
                return -ESRCH;
        number = sd_bus_error_get_errno(error);
        return number > 0 ? -number : -EIO;
}

static int on_unit_killed(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        killing_finish(userdata, error_of(m));
        return 0;
}

static int kill_unit(struct supervisor_systemd *s, const struct machine *m, int sig, port_done_fn done,
                     void *userdata) {
        struct killing *k = calloc(1, sizeof(*k));
        int r;

        if (!k)
                return -ENOMEM;
        *k = (struct killing){ .next = s->kills, .s = s, .done = done, .userdata = userdata };
        r = systemd_call_unit(get_bus(s), &k->slot, "KillUnit", m->unit, on_unit_killed, k, "si", "all", (int32_t) sig);
        if (r < 0) {
                free(k);
                return r;
        }
        if (k->next)
                k->next->previous = k;
        s->kills = k;
        return 0;
}

/* The same without the manager: what a machine within somebody's unit needs (KillUnitSubgroup() came with systemd 258, and
 * does no more), and any machine while there is no bus. */
static int kill_cgroup(struct supervisor_systemd *s, const struct machine *m, int sig) {
        int r = cgroup_host_signal(&s->host, m->cgroup, sig);

        return r == 0 ? -ESRCH : r < 0 ? r : 0;
}

static void port_kill_all(void *impl, const struct machine *m, int sig, port_done_fn done, void *userdata) {
        struct supervisor_systemd *s = impl;
        int r = -ENOTCONN;

        if (!m->unit || !cgroup_host_is_of_machine(&s->host, m)) {
                helper_kill_tree(s->config.helper, m, sig, done, userdata);
                return;
        }
        if (machine_owns_unit(m))
                r = kill_unit(s, m, sig, done, userdata);
        if (r == 0)
                return;
        if (r == -ENOTCONN)
                r = m->cgroup ? kill_cgroup(s, m, sig) : -ESRCH;
        if (r == -EFBIG) /* more groups than we have time for */
                helper_kill_tree(s->config.helper, m, sig, done, userdata);
        else
                done(userdata, r);
}

static void on_killed(void *userdata, int error) {
        /* Whether it worked shows when the leader dies, or the time to do so is over. */
}

/* ---- stopping ---- */

/* Asks the machine itself, and insists later. */
static int stop_ourselves(struct supervisor_systemd *s, const struct machine *m) {
        const struct process_port *process = s->config.process;
        int r = stopping_add(s->stopping, m, s->config.stop_timeout_usec, STOP_INSIST);

        if (!stopping_is_for_supervisor(process, m) || process->signal(process->impl, &m->supervisor, SIGTERM) < 0)
                port_kill_all(s, m, SIGTERM, on_killed, NULL);
        return r;
}

/* The manager was being started anew, or is stuck, and has heard nothing: whoever asked us has his answer and does not come
 * back. */
static void on_unit_not_stopped(void *userdata, const struct machine *m, bool last) {
        struct supervisor_systemd *s = userdata;

        if (last || stopping_add(s->stopping, m, BUS_SOON_USEC, STOP_ASK_AGAIN) < 0)
                stop_ourselves(s, m);
}

static int port_stop(void *impl, const struct machine *m) {
        struct supervisor_systemd *s = impl;
        int r = -ENOTCONN;

        if (machine_owns_unit(m) && cgroup_host_is_of_machine(&s->host, m)) {
                if (m->cgroup && !cgroup_host_may_signal(&s->host, m->cgroup))
                        return -EPERM; /* our own unit, or all of them */
                r = systemd_stop_ask(s->stops, get_bus(s), m, false);
                /* Its stop was asked for before we were started anew: there is time to ask again in the same way. */
                if (r == -ENOTCONN && !s->recovered)
                        return stopping_add(s->stopping, m, BUS_SOON_USEC, STOP_ASK);
        }
        return r == -ENOTCONN ? stop_ourselves(s, m) : r;
}

static void on_late(void *userdata, const struct machine *m, int step) {
        struct supervisor_systemd *s = userdata;

        if (step == STOP_TAKE_BACK) {
                if (systemd_scope_take_back(get_bus(s), m->unit) < 0)
                        log_notice("The start of machine %s's scope cannot be taken back: no bus.", m->name);
                return;
        }
        if (step == STOP_ASK || step == STOP_ASK_AGAIN) {
                if (systemd_stop_ask(s->stops, get_bus(s), m, step == STOP_ASK_AGAIN) < 0)
                        stop_ourselves(s, m);
                return;
        }
        log_notice("Machine %s has not ended in time: killing it.", m->name);
        port_kill_all(s, m, SIGKILL, on_killed, NULL);
        s->config.process->signal(s->config.process->impl, &m->leader, SIGKILL);
}

/* ---- the end ---- */

static void unref_unit(struct supervisor_systemd *s, const struct machine *m) {
        /* Not there, or not held since the bus was lost: then there is nothing to let go of. */
        systemd_call_unit(get_bus(s), NULL, "UnrefUnit", m->unit, NULL, NULL, NULL);
}

static void port_release(void *impl, const struct machine *m) {
        struct supervisor_systemd *s = impl;

        forget_stop(s, m);
        if (!m->scope_created || !m->unit)
                return;
        /* It never was a machine: our predecessor has begun it, and a scope that is there now may be the one of somebody else
         * that it was waiting for. */
        if (m->state == MACHINE_OPENING) {
                if (systemd_scope_take_back(get_bus(s), m->unit) < 0)
                        stopping_add(s->stopping, m, BUS_SOON_USEC, STOP_TAKE_BACK);
                return;
        }
        /* Without a bus the manager notices by itself that the scope is empty, and collects it. */
        if (systemd_call_unit(get_bus(s), NULL, "KillUnit", m->unit, NULL, NULL, "si", "all", SIGKILL) < 0 && m->cgroup)
                kill_cgroup(s, m, SIGKILL);
        systemd_call_unit(get_bus(s), NULL, "StopUnit", m->unit, NULL, NULL, "s", "replace");
        unref_unit(s, m);
}

static void port_abandon(void *impl, const struct machine *m) {
        struct supervisor_systemd *s = impl;

        forget_stop(s, m);
        if (m->scope_created && m->unit)
                unref_unit(s, m);
}

static void port_adopt(void *impl, const struct machine *m) {
        /* Nothing to take up: the leader's descriptor is all that is followed, and the manager keeps the scope while it has
         * processes. */
}

static void port_sweep(void *impl) {
        struct supervisor_systemd *s = impl;

        s->recovered = true; /* scopes without a record are the manager's to collect */
}

/* ---- making ---- */

bool systemd_is_manager(void) {
        AUTO_FREE char *comm = NULL;

        return access("/run/systemd/system", F_OK) == 0 && proc_read(1, "comm", &comm, NULL) >= 0 &&
               streq(comm, "systemd\n");
}

int supervisor_systemd_new(sd_event *e, const struct supervisor_systemd_config *config,
                           struct supervisor_systemd **ret) {
        AUTO(supervisor_systemd_freep) struct supervisor_systemd *s = calloc(1, sizeof(*s));
        struct systemd_scopes_config scopes = { e, NULL, config->process, config->get_bus, config->userdata };
        int r;

        if (!s)
                return -ENOMEM;
        s->config = *config;
        if (!s->config.stop_timeout_usec)
                s->config.stop_timeout_usec = STOP_TIMEOUT_USEC;
        r = cgroup_host_init(&s->host);
        if (r < 0) {
                free(STEAL(s));
                return r;
        }
        scopes.host = &s->host;
        r = systemd_scopes_new(&scopes, &s->scopes);
        if (r >= 0)
                r = systemd_stops_new(on_unit_not_stopped, s, &s->stops);
        if (r >= 0)
                r = stopping_new(e, on_late, s, &s->stopping);
        if (r < 0)
                return r;
        *ret = STEAL(s);
        return 0;
}

void supervisor_systemd_free(struct supervisor_systemd *s) {
        if (!s)
                return;
        systemd_scopes_free(s->scopes);
        while (s->kills)
                killing_finish(s->kills, -ESHUTDOWN);
        systemd_stops_free(s->stops);
        stopping_free(s->stopping);
        cgroup_host_done(&s->host);
        free(s);
}

struct supervisor_port supervisor_systemd_port(struct supervisor_systemd *s) {
        return (struct supervisor_port){
                .impl = s,
                .locate = port_locate,
                .plan = port_plan,
                .create = port_create,
                .kill_all = port_kill_all,
                .stop = port_stop,
                .release = port_release,
                .abandon = port_abandon,
                .adopt = port_adopt,
                .sweep = port_sweep,
                .stats = port_stats,
                .passes_properties = true,
                .refusal = port_refusal,
        };
}

const char *supervisor_systemd_describe(const struct supervisor_systemd *s) {
        return "scopes are made by the service manager (systemd)";
}
