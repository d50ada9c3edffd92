/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service itself: start-up, recovery, and the one place where a transition's effects are carried out. */
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "service/internal.h"

/* Catalog ids of the stock records, so that journal queries written for them keep working (registry.md 7.6). */
#define MESSAGE_ID_START "24d8d4452573402496068381a6312df2"
#define MESSAGE_ID_STOP "58432bd3bace477cb514b56381b8a758"

int service_new(const struct ports *ports, uint64_t seed, struct machine **host, struct service **ret) {
        AUTO(service_freep) struct service *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->ports = *ports;
        r = registry_new(seed, &s->registry);
        if (r < 0)
                return r;
        r = idmaps_new(&s->idmaps);
        if (r < 0)
                return r;
        r = event_ring_new(ports->events.max_events, ports->events.max_bytes, &s->events);
        if (r < 0)
                return r;
        s->host = STEAL(*host);
        *ret = STEAL(s);
        return 0;
}

void service_free(struct service *s) {
        if (!s)
                return;
        for (struct machine *m = s->registry ? registry_first(s->registry) : NULL; m; m = registry_next(s->registry, m))
                s->ports.process.unwatch(s->ports.process.impl, m);
        idmaps_free(s->idmaps);
        event_ring_free(s->events);
        registry_free(s->registry);
        machine_free(s->host);
        free(s);
}

const struct ports *service_ports(const struct service *s) {
        return &s->ports;
}

int service_add_listener(struct service *s, const struct notify_port *n) {
        if (s->n_listeners >= LISTENERS_MAX)
                return -ENOSPC;
        s->listeners[s->n_listeners++] = *n;
        return 0;
}

static void log_life(const struct machine *m, const char *message_id, const char *what) {
        struct log_fields fields = { .machine = m->name, .leader = m->leader.pid, .message_id = message_id };

        log_full(LOG_LEVEL_INFO, 0, &fields, "Machine %s %s (leader %d).", m->name, what, m->leader.pid);
}

static void announce_new(struct service *s, const struct machine *m) {
        log_life(m, MESSAGE_ID_START, "is running");
        for (size_t i = 0; i < s->n_listeners; i++)
                s->listeners[i].machine_new(s->listeners[i].impl, m);
}

static void announce_removed(struct service *s, const struct machine *m) {
        log_life(m, MESSAGE_ID_STOP, "is gone");
        for (size_t i = 0; i < s->n_listeners; i++)
                s->listeners[i].machine_removed(s->listeners[i].impl, m);
}

static int persist(struct service *s, const struct machine *m) {
        int r = s->ports.store.save(s->ports.store.impl, m);

        if (r < 0)
                log_error_errno(r, "Cannot write the record of machine %s", m->name);
        return r;
}

static void stop(struct service *s, const struct machine *m) {
        int r = s->ports.supervisor.stop(s->ports.supervisor.impl, m);

        if (r < 0 && r != -ESRCH)
                log_warning_errno(r, "Cannot ask machine %s to stop", m->name);
}

static void forget(struct service *s, struct machine *m) {
        int r = s->ports.store.drop(s->ports.store.impl, m);

        if (r < 0)
                log_warning_errno(r, "Cannot remove the record of machine %s", m->name);
        s->ports.process.unwatch(s->ports.process.impl, m);
        idmaps_remove(s->idmaps, m);
}

/* What the journal says of a transition; _EVENT_KIND_MAX: nothing. */
static enum event_kind event_kind_of(const struct machine *m, enum machine_event event) {
        switch (event) {
        case EVENT_PLACED:
                return m->scope_created ? EVENT_KIND_RUNNING : EVENT_KIND_REGISTERED;
        case EVENT_PLACE_FAILED:
                return EVENT_KIND_CREATE_FAILED;
        case EVENT_TERMINATE:
                return EVENT_KIND_CLOSING;
        case EVENT_LEADER_EXIT:
                return EVENT_KIND_REMOVED;
        case EVENT_UNREGISTER:
                return EVENT_KIND_UNREGISTERED;
        default:
                return _EVENT_KIND_MAX;
        }
}

int service_apply(struct service *s, struct machine *m, enum machine_event event, const struct caller *by) {
        struct transition t = machine_transition(m->state, event);
        int r = 0;

        m->state = t.next;
        /* Processes first: what is recorded or announced as gone must be on its way out already. */
        if (t.effects & EFFECT_RELEASE)
                s->ports.supervisor.release(s->ports.supervisor.impl, m);
        if (t.effects & EFFECT_ABANDON)
                s->ports.supervisor.abandon(s->ports.supervisor.impl, m);
        if (t.effects & EFFECT_PERSIST)
                r = persist(s, m);
        /* A machine whose record could not be written does not come into being: whoever asked for it takes it back. */
        if (!(t.effects & EFFECT_STAY) && (r >= 0 || event != EVENT_PLACED))
                service_event(s, event_kind_of(m, event), m, by, NULL);
        if (t.effects & EFFECT_STOP)
                stop(s, m);
        if (r >= 0 && (t.effects & EFFECT_ANNOUNCE_NEW))
                announce_new(s, m);
        if (t.effects & EFFECT_FORGET)
                forget(s, m);
        if (t.effects & EFFECT_ANNOUNCE_REMOVED)
                announce_removed(s, m);
        if (t.effects & EFFECT_FORGET)
                registry_remove(s->registry, m);
        return r;
}

void service_leader_exited(struct service *s, struct machine *m) {
        /* While its cgroup is being made the answer to that decides (register.c): it looks at the leader again. */
        if (m->state != MACHINE_OPENING)
                service_apply(s, m, EVENT_LEADER_EXIT, NULL);
}

/* ---- recovery: records against what is really there ---- */

/* An unfinished Create: nobody got an answer for it. Where the leader made it into the cgroup the machine is as good as
 * registered; where not, it never was one. */
static bool opening_was_finished(struct service *s, const struct machine *m) {
        struct placement p = { NULL, NULL, NULL };
        bool done;

        if (!m->cgroup)
                return true;
        if (s->ports.supervisor.locate(s->ports.supervisor.impl, m->leader.pid, &p) < 0)
                return false;
        done = p.unit && m->unit && streq(p.unit, m->unit);
        placement_done(&p);
        return done;
}

/* What the record says, and the journal does not: our predecessor was killed between the two. */
static void catch_up(struct service *s, const struct machine *m, enum event_kind last, bool complete) {
        static const struct event_detail recovered[] = { { "recovered", "yes" }, { NULL, NULL } };
        const struct caller owner = { .uid = m->uid, .process = PIDREF_EMPTY };

        if (last == _EVENT_KIND_MAX && !complete)
                return;
        if (last == _EVENT_KIND_MAX && m->scope_created)
                service_event(s, EVENT_KIND_CREATED, m, &owner, recovered);
        if (last == _EVENT_KIND_MAX || last == EVENT_KIND_CREATED)
                service_event(s, m->scope_created ? EVENT_KIND_RUNNING : EVENT_KIND_REGISTERED, m, &owner, recovered);
        if (m->state == MACHINE_CLOSING && last != EVENT_KIND_CLOSING)
                service_event(s, EVENT_KIND_CLOSING, m, NULL, recovered);
}

static bool is_end(enum event_kind kind) {
        return kind == EVENT_KIND_REMOVED || kind == EVENT_KIND_UNREGISTERED || kind == EVENT_KIND_CREATE_FAILED;
}

/* Ended while we were away, or only its record is left: then its event was the last thing that our predecessor wrote. One that was
 * still opening is known to nobody, unless the journal has it. */
static void note_end(struct service *s, const struct machine *m, enum event_kind last, bool complete) {
        static const struct event_detail noticed[] = { { "noticed", "restart" }, { NULL, NULL } };

        if (is_end(last))
                return;
        if (m->state != MACHINE_OPENING) {
                catch_up(s, m, last, complete);
                service_event(s, EVENT_KIND_REMOVED, m, NULL, noticed);
        } else if (last != _EVENT_KIND_MAX)
                service_event(s, EVENT_KIND_CREATE_FAILED, m, NULL, noticed);
}

static void bury(struct service *s, const struct machine *m) {
        s->ports.store.drop(s->ports.store.impl, m);
        if (m->state != MACHINE_OPENING)
                announce_removed(s, m);
}

static int revive(struct service *s, struct machine **m, struct machine **ret) {
        int r;

        r = registry_add(s->registry, m, ret);
        if (r < 0)
                return r;
        r = s->ports.process.watch(s->ports.process.impl, *ret);
        if (r >= 0)
                r = idmaps_add(s->idmaps, *ret);
        if (r < 0) {
                s->ports.process.unwatch(s->ports.process.impl, *ret);
                registry_remove(s->registry, *ret);
        }
        return r;
}

struct recovery {
        struct service *service;
        struct history *history;
};

static void recover_one(void *userdata, struct machine *record) {
        AUTO(machine_freep) struct machine *m = record;
        struct recovery *recovery = userdata;
        struct service *s = recovery->service;
        struct machine *added = NULL;
        bool opening = m->state == MACHINE_OPENING, complete;
        enum event_kind last = history_of(recovery->history, m, &complete);
        int r;

        r = s->ports.process.reopen(s->ports.process.impl, &m->leader);
        if (r == -EMFILE || r == -ENFILE ||
            r == -ENOMEM) { /* that says nothing of the machine: whoever starts us next may have more room */
                log_warning_errno(r, "Cannot take over a recorded machine now, leaving its record");
                return;
        }
        if (r < 0 || (opening && !opening_was_finished(s, m))) {
                s->ports.supervisor.release(s->ports.supervisor.impl, m);
                note_end(s, m, last, complete);
                bury(s, m);
                return;
        }
        if (last == EVENT_KIND_UNREGISTERED || last == EVENT_KIND_CREATE_FAILED) { /* let go of it was to be already */
                s->ports.supervisor.abandon(s->ports.supervisor.impl, m);
                bury(s, m);
                return;
        }
        if (opening)
                m->state = MACHINE_RUNNING;
        r = revive(s, &m, &added);
        if (r < 0) {
                log_warning_errno(r, "Cannot take over a recorded machine, ignoring its record");
                return;
        }
        s->ports.supervisor.adopt(s->ports.supervisor.impl, added);
        if (opening)
                persist(s, added);
        catch_up(s, added, last, complete);
        if (added->state == MACHINE_CLOSING)
                stop(s, added);
        announce_new(s, added);
}

int service_recover(struct service *s) {
        AUTO(history_freep) struct history *history = NULL;
        struct recovery recovery = { .service = s };
        int r;

        r = events_load(s);
        if (r >= 0)
                r = history_new(s, &history);
        if (r < 0)
                return r;
        recovery.history = history;
        r = s->ports.store.load(s->ports.store.impl, recover_one, &recovery);
        if (r < 0)
                log_warning_errno(r, "Cannot read the records of earlier machines");
        s->ports.supervisor.sweep(s->ports.supervisor.impl);
        return 0;
}
