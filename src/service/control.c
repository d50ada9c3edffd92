/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unregister, terminate, kill: verbs on a machine that exists. */
#include <errno.h>
#include <stdio.h>

#include "base/signame.h"
#include "service/internal.h"

#define SIGNAL_MAX 64

static void on_killed(void *userdata, int error) {
        AUTO(request_unrefp) struct request *q = userdata;

        if (error == -ESRCH)
                fault_set_errno(&q->fault, error, "Machine '%s' has no such process to signal.", q->name);
        else if (error < 0)
                fault_set_errno(&q->fault, error, "Cannot signal machine '%s'.", q->name);
        request_finish(q);
}

/* Before it is sent: what follows from it is noted behind it. */
void service_note_signal(struct service *s, const struct machine *m, const struct caller *by, int sig,
                         enum kill_whom whom) {
        const char *name = signal_to_string(sig);
        char number[16];

        snprintf(number, sizeof(number), "%d", sig);
        service_event(s, EVENT_KIND_KILL, m, by,
                      (struct event_detail[]){ { "signal", name ? name : number },
                                               { "whom", kill_whom_to_string(whom) },
                                               { NULL, NULL } });
}

/* Whoever may because the machine is his may signal what is his: his leader may have become somebody else since, as a setuid program
 * does. kill_all() looks for itself. */
static int check_process(struct request *q, const struct machine *m, const struct pidref *p) {
        const struct process_port *process = &q->service->ports.process;
        int r = 1;

        if (q->caller.uid != 0 && q->caller.uid == m->uid && pidref_is_set(p))
                r = process->belongs_to(process->impl, p, m->uid);
        if (r == 0)
                return fault_set(&q->fault, FAULT_ACCESS_DENIED,
                                 "Access denied: process %d of machine '%s' is not yours any more.", (int) p->pid,
                                 m->name);
        if (r < 0 && r != -ESRCH) /* to say that is for who signals it */
                return fault_set_errno(&q->fault, r, "Cannot tell whose process %d is.", (int) p->pid);
        return 0;
}

static void kill_machine(struct request *q, const struct machine *m) {
        const struct pidref *one = q->whom == KILL_LEADER       ? &m->leader
                                   : q->whom == KILL_SUPERVISOR ? &m->supervisor
                                                                : NULL;
        struct ports *ports = &q->service->ports;

        if (one && check_process(q, m, one) < 0) {
                request_finish(q);
                return;
        }
        service_note_signal(q->service, m, &q->caller, q->signal, q->whom);
        request_ref(q);
        switch (q->whom) {
        case KILL_LEADER:
                on_killed(q, ports->process.signal(ports->process.impl, &m->leader, q->signal));
                return;
        case KILL_SUPERVISOR:
                on_killed(q, pidref_is_set(&m->supervisor)
                                     ? ports->process.signal(ports->process.impl, &m->supervisor, q->signal)
                                     : -ESRCH);
                return;
        default:
                ports->supervisor.kill_all(ports->supervisor.impl, m, q->signal, on_killed, q);
        }
}

/* While the scope is being made nothing may take the machine away: that takes milliseconds, so the caller can try again. */
static void end_machine(struct request *q, struct machine *m, enum machine_event event) {
        if (m->state == MACHINE_OPENING)
                fault_set_errno(&q->fault, -EBUSY, "Machine '%s' is still being created.", q->name);
        else
                service_apply(q->service, m, event, &q->caller);
        request_finish(q);
}

static void control_authorized(struct request *q, enum auth_result result) {
        struct machine *m = service_find(q->service, q->name);

        if (!m)
                fault_set(&q->fault, FAULT_NO_SUCH_MACHINE, "No machine '%s' is known.", q->name);
        if (!m || !request_is_allowed(q, result)) {
                request_finish(q);
                return;
        }
        if (q->verb == VERB_KILL)
                kill_machine(q, m);
        else
                end_machine(q, m, q->verb == VERB_UNREGISTER ? EVENT_UNREGISTER : EVENT_TERMINATE);
}

/* Name, then arguments, then authorisation (registry.md section 4). */
static int check(struct request *q, struct machine **ret, struct fault *f) {
        struct machine *m = NULL;

        if (service_target(q->service, q->name, -1, &m, f) < 0)
                return -1;
        if (q->verb == VERB_KILL && (q->signal < 1 || q->signal > SIGNAL_MAX))
                return fault_set_argument(f, "signal", "A signal is a number from 1 to %d, not %d.", SIGNAL_MAX,
                                          q->signal);
        if (m->class == MACHINE_HOST)
                return fault_set(f, FAULT_NOT_SUPPORTED,
                                 "The host itself cannot be killed, terminated or unregistered.");
        *ret = m;
        return 0;
}

void control_begin(struct request *q) {
        struct machine *m = NULL;

        if (check(q, &m, &q->fault) < 0) {
                request_finish(q);
                return;
        }
        q->authorized = control_authorized;
        request_authorize(q, m);
}
