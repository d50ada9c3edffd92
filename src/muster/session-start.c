/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry decides who may enter what, and starts muster-enter. Where none runs only root could be asked, who is the one that asks:
 * the records say which process it is about, and muster-enter is told the very same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "muster/connect.h"
#include "codec/enter-protocol.h"
#include "codec/json-text.h"
#include "codec/utf8.h"
#include "core/machine.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/here.h"
#include "muster/session.h"
#include "sys/pidfd.h"
#include "sys/spawn-enter.h"

static void strings_member(struct json_text *j, const char *key, char *const *v) {
        if (!v || !*v)
                return;
        json_text_begin_array(j, key);
        for (; *v; v++)
                json_text_string(j, NULL, *v);
        json_text_end_array(j);
}

static int build(const struct options *o, const char *name, const struct session *s, struct buf *out) {
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", name);
        json_text_string(&j, "kind", session_kind_to_string(s->kind));
        strings_member(&j, "arguments", s->arguments);
        strings_member(&j, "environment", s->environment);
        json_text_string_if(&j, "user", s->user);
        json_text_string_if(&j, "workingDirectory", s->directory);
        json_text_bool(&j, "terminal", s->terminal);
        json_text_bool(&j, "detach", s->detach);
        json_text_unsigned(&j, "rows", s->rows);
        json_text_unsigned(&j, "columns", s->columns);
        if (s->timeout_usec)
                json_text_unsigned(&j, "timeoutUSec", s->timeout_usec);
        if (may_ask_password(o))
                json_text_bool(&j, "allowInteractiveAuthentication", true);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out);
}

/* What a JSON string cannot carry would arrive as something else. */
static bool all_text(char *const *v) {
        for (; v && *v; v++)
                if (!utf8_is_valid(*v))
                        return false;
        return true;
}

static int refused(const struct varlink_answer *answer, const char *name) {
        const char *message = varlink_answer_message(answer);
        AUTO_FREE char *shown = message ? str_escape(message, 400) : NULL;

        if (!shown) {
                (void) fail_answer(answer, "run a command in", name);
                return EXIT_SESSION;
        }
        fail("%s", shown);
        return EXIT_SESSION;
}

static int ask_registry(const struct options *o, struct varlink_client *c, const char *name, const struct session *s) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        size_t n_fds = s->fds[SESSION_FD_INPUT] >= 0 ? _SESSION_FD_MAX : SESSION_FD_STATUS + 1;
        int r;

        if (!all_text(s->arguments) || !all_text(s->environment)) {
                fail("A word of the command, or a variable, is no valid UTF-8: the registry cannot be told of it.");
                return EXIT_SESSION;
        }
        r = build(o, name, s, &parameters);
        if (r == 0)
                r = varlink_client_send_fds(c, "org.muster.Machine1.Exec", parameters.data, s->fds, n_fds);
        if (r == 0)
                return EXIT_SUCCESS;
        (void) fail_connection(o->run, r);
        return EXIT_SESSION;
}

int session_answer(const struct options *o, const char *name, struct varlink_client *c) {
        struct varlink_answer answer;
        int r = varlink_client_try_next(c, &answer);

        if (r == -EAGAIN)
                return r;
        if (r < 0) {
                (void) fail_connection(o->run, r);
                return EXIT_SESSION;
        }
        r = answer.error ? refused(&answer, name) : EXIT_SUCCESS;
        varlink_answer_done(&answer);
        return r;
}

/* ---- without a registry ---- */

static int spawn_here(const struct session *s, const struct pidref *leader) {
        AUTO_BUF struct buf request = BUF_EMPTY;
        struct spawn_enter spawn = {
                .path = here_program("MUSTER_ENTER", ENTER_PATH),
                .leader = leader->fd,
                .status = s->fds[SESSION_FD_STATUS],
                .starting = -EBADF,
                .stdio = { s->fds[SESSION_FD_INPUT], s->fds[SESSION_FD_OUTPUT], s->fds[SESSION_FD_ERROR] },
        };
        pid_t pid;
        int r;

        r = enter_request_encode(s, &request);
        if (r < 0)
                return r;
        spawn.request = request.data;
        spawn.request_size = request.size;
        return spawn_enter(&spawn, &pid); /* what becomes of it is reported; it is not waited for */
}

static int start_here(const struct options *o, const char *name, const struct session *s) {
        struct pidref leader = PIDREF_EMPTY;
        int r;

        if (streq(name, HOST_MACHINE_NAME)) { /* it has no record to be found by */
                (void) fail("The host is entered by the registry, and none is running: start musterd.");
                return EXIT_SESSION;
        }
        r = here_leader(o, name, &leader);
        if (r < 0)
                return EXIT_SESSION;
        r = spawn_here(s, &leader);
        if (r < 0)
                (void) fail("Cannot start muster-enter: %s.", strerror(-r));
        pidref_done(&leader);
        return r < 0 ? EXIT_SESSION : EXIT_SUCCESS;
}

int session_start(const struct options *o, const char *name, const struct session *s, struct varlink_client **ret) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        int r;

        *ret = NULL;
        if (!name_is_usable(name))
                return EXIT_SESSION;
        r = connect_registry(o, &c);
        if (r == -EHOSTDOWN)
                return start_here(o, name, s);
        if (r < 0) {
                (void) fail_connection(o->run, r);
                return EXIT_SESSION;
        }
        r = ask_registry(o, c, name, s);
        if (r == EXIT_SUCCESS)
                *ret = STEAL(c);
        return r;
}
