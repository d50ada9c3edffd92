/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests: one caller's wish from the door to the answer, waiting wherever it must; and the access check they share. */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "service/internal.h"

#define COMMAND_LINE_MAX 512 /* bytes of it that whoever gives permission is shown */

int request_new(struct service *s, enum verb verb, struct request **ret) {
        struct request *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        q->n_ref = 1;
        q->service = s;
        q->verb = verb;
        q->caller.process = PIDREF_EMPTY;
        q->caller.uid = (uid_t) -1;
        q->whom = KILL_ALL;
        q->socket = -EBADF;
        *ret = q;
        return 0;
}

struct request *request_ref(struct request *q) {
        q->n_ref++;
        return q;
}

void request_unref(struct request *q) {
        if (!q || --q->n_ref > 0)
                return;
        if (q->service)
                q->service->ports.process.close(q->service->ports.process.impl, &q->caller.process);
        free((char *) q->caller.bus_name);
        free(q->name);
        registration_free(q->registration);
        session_free(q->session);
        if (q->socket >= 0)
                machine_close_fd(q->socket);
        transfer_free(q->transfer);
        free(q);
}

void registration_free(struct registration *r) {
        if (!r)
                return;
        machine_free(r->machine);
        if (r->leader_fd >= 0)
                machine_close_fd(r->leader_fd);
        scope_properties_done(&r->scope);
        free(r);
}

void request_finish(struct request *q) {
        if (q->finished)
                return;
        q->finished = true;
        if (!q->cancelled)
                q->finish(q);
}

void request_cancel(struct request *q) {
        void *handle = STEAL(q->auth_handle);

        q->cancelled = true;
        transfer_cancel(q);
        if (handle) {
                q->service->ports.auth.cancel(q->service->ports.auth.impl, handle);
                request_unref(q); /* the reference that the question held */
        }
}

void service_submit(struct request *q) {
        switch (q->verb) {
        case VERB_REGISTER:
        case VERB_CREATE:
                register_begin(q);
                return;
        case VERB_UNREGISTER:
        case VERB_TERMINATE:
        case VERB_KILL:
                control_begin(q);
                return;
        case VERB_ADDRESSES:
        case VERB_OS_RELEASE:
        case VERB_OPEN_ROOT:
                inspect_begin(q);
                return;
        case VERB_EXEC:
        case VERB_OPEN_PTY:
        case VERB_OPEN_LOGIN:
        case VERB_OPEN_SHELL:
                session_begin(q);
                return;
        case VERB_OPEN_LOG:
                console_log_begin(q);
                return;
        case VERB_BIND:
        case VERB_COPY_TO:
        case VERB_COPY_FROM:
                transfer_begin(q);
                return;
        default:
                service_authorize(q);
        }
}

/* ---- access ---- */

static void on_auth_answer(void *userdata, enum auth_result result) {
        AUTO(request_unrefp) struct request *q = userdata;

        q->auth_handle = NULL;
        q->authorized(q, result);
}

/* What is to be run as one line, safe to be shown, and at most as long as somebody reads. */
static char *command_line(const struct session *s) {
        AUTO_BUF struct buf line = BUF_EMPTY;

        for (char **a = s->arguments; a && *a && line.size < COMMAND_LINE_MAX; a++)
                buf_printf(&line, "%s%s", a == s->arguments ? "" : " ", *a);
        return str_escape(line.size ? line.data : "", COMMAND_LINE_MAX);
}

static size_t add_session_details(const struct session *s, const char *program, const char *line,
                                  struct auth_detail *ret) {
        if (!s || s->kind == SESSION_LOGIN || s->kind == SESSION_PTY || !program || !line)
                return 0;
        ret[0] = (struct auth_detail){ "user", s->user ? s->user : "root" };
        ret[1] = (struct auth_detail){ "program", program };
        ret[2] = (struct auth_detail){ "command_line", line };
        return 3;
}

static size_t add_transfer_details(const struct transfer *t, struct auth_detail *ret) {
        if (!t)
                return 0;
        ret[0] = (struct auth_detail){ "src", strempty(t->source) };
        ret[1] = (struct auth_detail){ "dest", strempty(t->destination) };
        return 2;
}

void request_authorize(struct request *q, const struct machine *target) {
        AUTO_FREE char *line = q->session ? command_line(q->session) : NULL, *program = NULL;
        const struct access_rule *rule = access_rule(q->verb);
        struct auth_port *auth = &q->service->ports.auth;
        struct auth_detail details[6] = { { NULL, NULL } };
        size_t n = 0;
        void *handle = NULL;

        q->action = target && target->class == MACHINE_HOST && rule->host_action ? rule->host_action : rule->action;
        if (q->caller.uid == 0 || (!rule->action && !rule->root_only)) {
                q->authorized(q, q->caller.uid == 0 ? AUTH_ALLOWED_ADMIN : AUTH_ALLOWED);
                return;
        }
        if (rule->root_only) {
                q->authorized(q, AUTH_DENIED);
                return;
        }
        if (rule->owner && target && target->class != MACHINE_HOST && target->uid == q->caller.uid) {
                q->authorized(q, AUTH_ALLOWED);
                return;
        }
        if (q->name)
                details[n++] = (struct auth_detail){ q->detail_key ? q->detail_key : "machine", q->name };
        if (rule->verb)
                details[n++] = (struct auth_detail){ "verb", rule->verb };
        if (q->session)
                program = str_escape(q->session->arguments ? q->session->arguments[0] : "", COMMAND_LINE_MAX);
        n += add_session_details(q->session, program, line, details + n);
        n += add_transfer_details(q->transfer, details + n);
        details[n] = (struct auth_detail){ NULL, NULL };
        request_ref(q); /* given back in on_auth_answer() or request_cancel() */
        auth->ask(auth->impl, &q->caller, q->action, details, on_auth_answer, q, &handle);
        if (!q->finished && handle)
                q->auth_handle = handle;
}

bool request_is_allowed(struct request *q, enum auth_result result) {
        switch (result) {
        case AUTH_ALLOWED:
        case AUTH_ALLOWED_ADMIN:
                return true;
        case AUTH_INTERACTION_REQUIRED:
                fault_set(&q->fault, FAULT_INTERACTIVE_AUTH,
                          "Authentication is needed for the polkit action %s: ask as root, or where a polkit agent can "
                          "ask you.",
                          q->action);
                return false;
        case AUTH_TOO_MANY:
                fault_set(
                        &q->fault, FAULT_LIMIT,
                        "Too many requests wait for an answer of polkit: try again when some of them have got theirs.");
                return false;
        default:
                if (q->action)
                        fault_set(&q->fault, FAULT_ACCESS_DENIED,
                                  "Access denied: only root, or who is granted the polkit action %s, may do this: use "
                                  "sudo or "
                                  "pkexec, or make a rule (polkit(8)).",
                                  q->action);
                else
                        fault_set(&q->fault, FAULT_ACCESS_DENIED, "Access denied: only root may do this.");
                return false;
        }
}

static void authorized_only(struct request *q, enum auth_result result) {
        request_is_allowed(q, result);
        request_finish(q);
}

void service_authorize(struct request *q) {
        q->authorized = authorized_only;
        request_authorize(q, q->name ? service_find(q->service, q->name) : NULL);
}
