/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is needed to insist is copied: the machine may be gone, and its name taken by another, when the time is over. */
#include "backend/stopping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

struct entry {
        struct stopping *list;
        struct machine *machine;
        sd_event_source *timer;
        int step;
        bool oom;
        UT_hash_handle hh;
};

struct stopping {
        sd_event *event;
        stopping_fn late;
        void *userdata;
        struct entry *entries; /* by the machine's name */
};

static void entry_free(struct entry *x) {
        sd_event_source_disable_unref(x->timer);
        machine_free(x->machine);
        free(x);
}

int stopping_copy(const struct machine *m, struct machine **ret) {
        AUTO(machine_freep) struct machine *copy = NULL;
        int r;

        r = machine_new(m->name, &copy);
        if (r < 0)
                return r;
        copy->leader = m->leader;
        copy->leader.fd = -EBADF; /* re-opened and compared when it is needed */
        copy->supervisor = m->supervisor;
        copy->supervisor.fd = -EBADF;
        copy->scope_created = m->scope_created;
        copy->uid = m->uid;
        if (str_replace(&copy->unit, m->unit) < 0 || str_replace(&copy->subgroup, m->subgroup) < 0 ||
            str_replace(&copy->cgroup, m->cgroup) < 0 || str_replace(&copy->service, m->service) < 0)
                return -ENOMEM;
        *ret = STEAL(copy);
        return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata) {
        struct entry *x = userdata;
        struct stopping *s = x->list;

        HASH_DEL(s->entries, x);
        s->late(s->userdata, x->machine, x->step);
        entry_free(x);
        return 0;
}

int stopping_add(struct stopping *s, const struct machine *m, uint64_t usec, int step) {
        struct entry *x = calloc(1, sizeof(*x));
        int r;

        if (!x)
                return -ENOMEM;
        x->list = s;
        x->step = step;
        r = stopping_copy(m, &x->machine);
        if (r >= 0)
                r = sd_event_add_time_relative(s->event, &x->timer, CLOCK_MONOTONIC, usec, 0, on_late, x);
        if (r >= 0) {
                stopping_forget(s, m);
                HASH_ADD_KEYPTR(hh, s->entries, x->machine->name, strlen(x->machine->name), x);
                r = x->oom ? -ENOMEM : 0;
        }
        if (r < 0)
                entry_free(x);
        return r;
}

bool stopping_forget(struct stopping *s, const struct machine *m) {
        struct entry *x = NULL;

        if (!s->entries)
                return false;
        HASH_FIND(hh, s->entries, m->name, strlen(m->name), x);
        if (!x)
                return false;
        HASH_DEL(s->entries, x);
        entry_free(x);
        return true;
}

/* These shut their container down in order when told to end. Of others we do not know what SIGTERM means to them. */
bool stopping_is_for_supervisor(const struct process_port *process, const struct machine *m) {
        static const char *const services[] = { "systemd-nspawn", "systemd-vmspawn", "muster-spawn" };
        pid_t parent;

        if (!pidref_is_set(&m->supervisor) || process->parent(process->impl, m->leader.pid, &parent) < 0 ||
            parent != m->supervisor.pid)
                return false;
        for (size_t i = 0; i < ELEMENTS(services); i++)
                if (streq(strempty(m->service), services[i]))
                        return true;
        return false;
}

int stopping_new(sd_event *e, stopping_fn late, void *userdata, struct stopping **ret) {
        struct stopping *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(e);
        s->late = late;
        s->userdata = userdata;
        *ret = s;
        return 0;
}

void stopping_free(struct stopping *s) {
        struct entry *x, *next;

        if (!s)
                return;
        HASH_ITER (hh, s->entries, x, next) {
                HASH_DEL(s->entries, x);
                entry_free(x);
        }
        sd_event_unref(s->event);
        free(s);
}
