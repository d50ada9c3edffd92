/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.muster.Machine1, what the original has no method for, whose errors carry their sentence along; and io.systemd.Machine.Open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/varlink-internal.h"

#define INTERFACE "org.muster.Machine1."

static const char *error_name(enum fault_kind kind) {
        switch (kind) {
        case FAULT_NO_SUCH_MACHINE:
                return INTERFACE "NoSuchMachine";
        case FAULT_NOT_SUPPORTED:
                return INTERFACE "NotSupported";
        case FAULT_ACCESS_DENIED:
                return INTERFACE "PermissionDenied";
        case FAULT_INTERACTIVE_AUTH:
                return INTERFACE "InteractiveAuthenticationRequired";
        case FAULT_INVALID_ARGUMENT:
                return INTERFACE "Refused";
        case FAULT_LIMIT:
                return INTERFACE "TooManySessions";
        case FAULT_TOO_MANY_OPERATIONS:
                return INTERFACE "TooManyTransfers";
        default:
                return INTERFACE "Failed";
        }
}

void reply_with_sentence(struct connection *c, const struct fault *f, const char *action) {
        AUTO_BUF struct buf text = BUF_EMPTY;
        struct json_text j;

        buf_append_str(&text, f->text);
        if (f->kind == FAULT_ERRNO) /* the sentence says what could not be done, and this why */
                buf_printf(&text, " %s.", strerror(-f->error));
        j = reply_error_begin(c, error_name(f->kind));
        json_text_string(&j, "message", text.size ? text.data : "");
        if (f->kind == FAULT_ACCESS_DENIED || f->kind == FAULT_INTERACTIVE_AUTH)
                json_text_string_if(&j, "action", action);
        if (f->kind == FAULT_INVALID_ARGUMENT)
                json_text_string_if(&j, "parameter", f->field);
        reply_error_end(c, &j);
}

struct exec_parameters {
        const char *name, *user, *directory;
        int kind;
        struct varlink_array arguments, environment;
        struct varlink_int rows, columns, timeout;
        bool terminal, detach, interactive;
};

#define EXEC(member) offsetof(struct exec_parameters, member)
static const struct varlink_field exec_fields[] = {
        { "name", VARLINK_STRING, EXEC(name), .required = true },
        { "kind", VARLINK_ENUM, EXEC(kind), .from_string = session_kind_from_string },
        { "arguments", VARLINK_STRINGS, EXEC(arguments) },
        { "environment", VARLINK_STRINGS, EXEC(environment) },
        { "user", VARLINK_STRING, EXEC(user) },
        { "workingDirectory", VARLINK_STRING, EXEC(directory) },
        { "terminal", VARLINK_BOOL, EXEC(terminal) },
        { "rows", VARLINK_INT, EXEC(rows), .min = 0, .max = UINT16_MAX },
        { "columns", VARLINK_INT, EXEC(columns), .min = 0, .max = UINT16_MAX },
        { "detach", VARLINK_BOOL, EXEC(detach) },
        { "timeoutUSec", VARLINK_INT, EXEC(timeout), .min = 0, .max = INT64_MAX },
        { "allowInteractiveAuthentication", VARLINK_BOOL, EXEC(interactive) },
        { NULL },
};

static int copy_strings(const struct varlink_array *a, char ***ret) {
        char **v;

        if (a->n == 0)
                return 0;
        v = calloc(a->n + 1, sizeof(*v));
        if (!v)
                return -ENOMEM;
        *ret = v;
        for (size_t i = 0; i < a->n; i++) {
                v[i] = strdup(varlink_array_string(a, i));
                if (!v[i])
                        return -ENOMEM;
        }
        return 0;
}

static int fill_session(struct session *s, const struct exec_parameters *p) {
        s->terminal = p->terminal;
        s->detach = p->detach;
        s->rows = (uint16_t) p->rows.value;
        s->columns = (uint16_t) p->columns.value;
        s->timeout_usec = (uint64_t) p->timeout.value;
        if (str_replace(&s->user, p->user) < 0 || str_replace(&s->directory, p->directory) < 0 ||
            copy_strings(&p->arguments, &s->arguments) < 0 || copy_strings(&p->environment, &s->environment) < 0)
                return -ENOMEM;
        return 0;
}

/* Exactly as many as the kind of session needs: 1 or 4. */
static bool take_descriptors(struct connection *c, struct session *s) {
        size_t wanted = s->terminal || s->detach ? SESSION_FD_STATUS + 1 : _SESSION_FD_MAX, n;
        int fds[VARLINK_FDS_MAX];

        _Static_assert(_SESSION_FD_MAX == VARLINK_FDS_MAX, "room for all of them");
        n = connection_take_fds(c, fds);
        for (size_t i = 0; i < n; i++)
                s->fds[i] = fds[i];
        return n == wanted;
}

void finish_with_sentence(struct request *q) {
        struct connection *c = q->adapter;

        q->adapter = NULL;
        c->request = NULL;
        if (q->fault.kind != FAULT_NONE)
                reply_with_sentence(c, &q->fault, q->action);
        else
                reply_empty(c);
        request_unref(q);
        connection_finish_call(c);
}

static int request_for(struct connection *c, struct exec_parameters *p, struct request **ret) {
        AUTO(request_unrefp) struct request *q = NULL;
        int r;

        r = request_new(c->server->service, VERB_EXEC, &q);
        if (r >= 0)
                r = session_new((enum session_kind) p->kind, &q->session);
        if (r >= 0)
                r = fill_session(q->session, p);
        if (r < 0)
                return r;
        q->name = strdup(p->name);
        if (!q->name)
                return -ENOMEM;
        *ret = STEAL(q);
        return 0;
}

static void method_exec(struct connection *c, const struct varlink_call *call) {
        struct exec_parameters p = { .kind = SESSION_COMMAND };
        struct request *q = NULL;
        struct fault f = FAULT_OK;

        if (!varlink_extract(c, call, exec_fields, &p))
                return;
        if (request_for(c, &p, &q) < 0) {
                c->closing = true;
                return;
        }
        if (!take_descriptors(c, q->session) || q->session->kind == SESSION_PTY) {
                fault_set_argument(&f, NULL,
                                   "One descriptor must come with the call where there is a terminal or it is "
                                   "detached, else four.");
                reply_with_sentence(c, &f, NULL);
                request_unref(q);
                return;
        }
        varlink_submit(c, q, p.interactive, finish_with_sentence);
}

/* ---- the log of a console ---- */

struct log_parameters {
        const char *name;
        bool interactive;
};

static const struct varlink_field log_fields[] = {
        { "name", VARLINK_STRING, offsetof(struct log_parameters, name), .required = true },
        { "allowInteractiveAuthentication", VARLINK_BOOL, offsetof(struct log_parameters, interactive) },
        { NULL },
};

static void method_open_log(struct connection *c, const struct varlink_call *call) {
        struct log_parameters p = { .name = NULL };
        int fds[VARLINK_FDS_MAX];
        struct request *q = NULL;
        size_t n;

        if (!varlink_extract(c, call, log_fields, &p))
                return;
        if (request_new(c->server->service, VERB_OPEN_LOG, &q) >= 0)
                q->name = strdup(p.name);
        if (!q || !q->name) {
                request_unref(q);
                c->closing = true;
                return;
        }
        n = connection_take_fds(c, fds);
        for (size_t i = 1; i < n; i++)
                close(fds[i]);
        if (n > 0)
                q->socket = fds[0];
        varlink_submit(c, q, p.interactive, finish_with_sentence);
}

/* ---- io.systemd.Machine.Open ---- */

struct open_parameters {
        struct target target;
        const char *user, *path;
        int kind;
        struct varlink_array arguments, environment;
};

static int kind_of_mode(const char *mode) {
        return streq(mode, "tty")     ? SESSION_PTY
               : streq(mode, "login") ? SESSION_LOGIN
               : streq(mode, "shell") ? SESSION_SHELL
                                      : -EINVAL;
}

#define OPEN(member) offsetof(struct open_parameters, member)
static const struct varlink_field open_fields[] = {
        TARGET_FIELDS(struct open_parameters),
        { "mode", VARLINK_ENUM, OPEN(kind), .required = true, .from_string = kind_of_mode },
        { "user", VARLINK_STRING, OPEN(user) },
        { "path", VARLINK_STRING, OPEN(path) },
        { "args", VARLINK_STRINGS, OPEN(arguments) },
        { "environment", VARLINK_STRINGS, OPEN(environment) },
        { NULL },
};

static int fill_opening(struct session *s, const struct open_parameters *p) {
        AUTO(strv_freep) char **words = NULL;

        s->terminal = s->detach = true;
        if (p->kind != SESSION_SHELL)
                return 0;
        if (str_replace(&s->user, p->user) < 0 || copy_strings(&p->arguments, &words) < 0 ||
            copy_strings(&p->environment, &s->environment) < 0)
                return -ENOMEM;
        return session_set_program(s, p->path, words);
}

static int opening_request(struct connection *c, const struct open_parameters *p, const char *name,
                           struct request **ret) {
        static const enum verb verbs[_SESSION_KIND_MAX] = {
                [SESSION_PTY] = VERB_OPEN_PTY, [SESSION_LOGIN] = VERB_OPEN_LOGIN, [SESSION_SHELL] = VERB_OPEN_SHELL
        };
        AUTO(request_unrefp) struct request *q = NULL;
        int r;

        r = request_new(c->server->service, verbs[p->kind], &q);
        if (r >= 0)
                r = session_new((enum session_kind) p->kind, &q->session);
        if (r >= 0)
                r = fill_opening(q->session, p);
        if (r < 0)
                return r;
        q->name = strdup(name);
        if (!q->name)
                return -ENOMEM;
        *ret = STEAL(q);
        return 0;
}

static void reply_opened(struct connection *c, const struct opened *opened, struct fault *f) {
        struct json_text j = reply_begin(c);
        int r;

        json_text_unsigned(&j, "ptyFileDescriptor", 0); /* the first of those that come with the reply */
        json_text_string(&j, "ptyPath", opened->path);
        reply_end(c, &j, false);
        r = reply_attach(c, opened->fd);
        if (r < 0)
                fault_set_errno(f, r, "No descriptor is free for the terminal.");
}

static void finish_open(struct request *q) {
        struct connection *c = q->adapter;

        q->adapter = NULL;
        c->request = NULL;
        if (q->fault.kind == FAULT_NONE)
                reply_opened(c, q->opened, &q->fault);
        if (q->fault.kind != FAULT_NONE)
                reply_fault(c, &q->fault);
        request_unref(q);
        connection_finish_call(c);
}

void varlink_open(struct connection *c, const struct varlink_call *call) {
        struct open_parameters p = { .kind = SESSION_SHELL };
        struct request *q = NULL;
        struct machine *m = NULL;

        if (!varlink_extract(c, call, open_fields, &p) || !varlink_find_target(c, &p.target, &m))
                return;
        if (p.user && *p.user && !session_user_is_valid(p.user)) { /* also where there is no use for one */
                reply_invalid(c, "user");
                return;
        }
        if (opening_request(c, &p, m->name, &q) < 0)
                c->closing = true;
        else
                varlink_submit(c, q, p.target.interactive, finish_open);
}

const struct varlink_method varlink_session_methods[] = {
        { INTERFACE "Exec", method_exec },
        { INTERFACE "OpenLog", method_open_log },
        { INTERFACE "Transfer", varlink_transfer },
        { NULL, NULL },
};
