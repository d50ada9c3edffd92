/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running something in a machine: who may, and where it is refused whoever asks. What is run is muster-enter's business. */
#include <errno.h>

#include "base/str.h"
#include "service/internal.h"

/* Whether that is why it could not be begun. */
static bool is_too_many(struct fault *f, int error) {
        if (error == -ENOBUFS)
                fault_set(f, FAULT_LIMIT, "Too many commands are running in machines: wait until one has ended.");
        else if (error == -EDQUOT)
                fault_set(
                        f, FAULT_LIMIT,
                        "%d commands of yours are running in machines, more are not allowed: wait until one has ended.",
                        SESSIONS_OF_USER);
        else
                return false;
        return true;
}

/* fault.field outlives the diag. */
static int fault_from_diag(struct fault *f, const struct diag *d) {
        static const char *const fields[] = {
                "arguments", "environment", "user", "workingDirectory", "detach", "path"
        };

        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (streq(fields[i], d->field))
                        return fault_set_argument(f, fields[i], "%s", d->text);
        return fault_set_argument(f, NULL, "%s", d->text);
}

/* A machine that a user has registered, and whose root is the host's: whoever is let in as its root is root of the host, and the user
 * decides what is run there. So nobody is, root included (registry.md 2.4). Asked of the leader at the moment of the act. */
int session_check_owner(struct request *q, const struct machine *m, struct fault *f) {
        const struct process_port *process = &q->service->ports.process;
        int r;

        if (m->uid == 0 || m->class == MACHINE_HOST)
                return 0;
        r = process->shares_users(process->impl, &m->leader);
        if (r < 0)
                return fault_set_errno(f, r, "Cannot tell in which user namespace machine '%s' is.", m->name);
        if (r > 0)
                return fault_set(f, FAULT_ACCESS_DENIED,
                                 "Machine '%s' belongs to user %u and has no user namespace: nobody may enter it.",
                                 m->name, (unsigned) m->uid);
        return 0;
}

static int check(struct request *q, struct machine **ret, struct fault *f) {
        struct machine *m = NULL;
        struct diag d = { 0 };

        if (service_target(q->service, q->name, -1, &m, f) < 0)
                return -1;
        if (m->class == MACHINE_VM)
                return fault_set(f, FAULT_NOT_SUPPORTED,
                                 "Machine '%s' is a virtual machine: it cannot be entered from outside.", q->name);
        if (session_check(q->session, &d) < 0)
                return fault_from_diag(f, &d);
        if (session_check_owner(q, m, f) < 0)
                return -1;
        *ret = m;
        return 0;
}

static void on_opened(void *userdata, const struct opened *result) {
        AUTO(request_unrefp) struct request *q = userdata;
        AUTO_FREE char *shown = result->text ? str_escape(result->text, 150) : NULL;

        if (result->error < 0 && !is_too_many(&q->fault, result->error))
                fault_set_errno(&q->fault, result->error, "%s",
                                shown ? shown : "Cannot open a terminal in the machine.");
        q->opened = result;
        request_finish(q);
        q->opened = NULL;
}

static void note(const struct request *q, const struct machine *m) {
        static const enum event_kind kinds[] = { [SESSION_COMMAND] = EVENT_KIND_EXEC,
                                                 [SESSION_SHELL] = EVENT_KIND_SHELL,
                                                 [SESSION_LOGIN] = EVENT_KIND_LOGIN,
                                                 [SESSION_PTY] = EVENT_KIND_OPEN_PTY };
        const char *user = q->session->user;
        const struct event_detail details[] = { { user ? "user" : NULL, user }, { NULL, NULL } };

        service_event(q->service, kinds[q->session->kind], m, &q->caller, details);
}

/* The one place where a session begins. False: the request is finished later, and the machine may be gone by then. */
static bool begin(struct request *q, const struct machine *m) {
        const struct enter_port *enter = &q->service->ports.enter;
        int r;

        q->session->caller = q->caller.uid;
        if (q->verb != VERB_EXEC) {
                note(q, m);
                enter->open(enter->impl, m, q->session, on_opened, request_ref(q));
                return false;
        }
        r = enter->start(enter->impl, m, q->session);
        if (r >= 0)
                note(q, m);
        if (r < 0 && !is_too_many(&q->fault, r))
                fault_set_errno(&q->fault, r, "Cannot start muster-enter for machine '%s'.", m->name);
        return true;
}

/* Time may have passed: the machine is another one of that name, or it has changed hands. */
static void session_authorized(struct request *q, enum auth_result result) {
        struct machine *m = NULL;

        if (!request_is_allowed(q, result) || check(q, &m, &q->fault) < 0 || begin(q, m))
                request_finish(q);
}

void session_begin(struct request *q) {
        struct machine *m = NULL;

        if (check(q, &m, &q->fault) < 0) {
                request_finish(q);
                return;
        }
        q->authorized = session_authorized;
        request_authorize(q, m);
}
