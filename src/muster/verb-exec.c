/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec, shell, login: from the command line to a session. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "muster/failure.h"
#include "muster/session.h"
#include "muster/verbs.h"

/* On a terminal when we are on one, both ways: what a script reads or writes is never changed by one. */
static bool wants_terminal(const struct options *o) {
        if (o->session.terminal != TERMINAL_AUTO)
                return o->session.terminal == TERMINAL_YES;
        return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static int add_environment(const struct options *o, struct session *s) {
        AUTO_BUF struct buf type = BUF_EMPTY;
        const char *term = getenv("TERM");
        int r = 0;

        if (s->terminal && term && *term) {
                r = buf_printf(&type, "TERM=%s", term);
                if (r >= 0)
                        r = strv_extend(&s->environment, type.data);
        }
        for (char **e = o->session.environment; r >= 0 && e && *e; e++)
                r = strv_extend(&s->environment, *e);
        return r;
}

static int fill(const struct options *o, const char *user, char **words, struct session *s) {
        int r;

        s->detach = o->session.detach;
        s->terminal = !s->detach && wants_terminal(o);
        s->timeout_usec = o->timeout_usec == UINT64_MAX ? 0 : o->timeout_usec;
        r = str_replace(&s->user, o->session.user ? o->session.user : user);
        if (r >= 0)
                r = str_replace(&s->directory, o->session.directory);
        if (r >= 0)
                r = add_environment(o, s);
        for (; r >= 0 && *words; words++)
                r = strv_extend(&s->arguments, *words);
        return r;
}

static int run(const struct options *o, enum session_kind kind, const char *user, const char *name, char **words) {
        AUTO(session_freep) struct session *s = NULL;
        struct diag d = { 0 };
        int r;

        r = session_new(kind, &s);
        if (r >= 0)
                r = fill(o, user, words, s);
        if (r < 0)
                fail("Out of memory.");
        else if (kind == SESSION_LOGIN && !s->terminal) {
                fail("A login needs a terminal.");
                r = -ENOTTY;
        } else {
                r = session_check(s, &d);
                if (r < 0)
                        fail("%s", d.text);
        }
        return r < 0 ? EXIT_SESSION : session_run(o, name, s);
}

int verb_exec(const struct options *o, char **args) {
        if (!args[1]) {
                fail("exec needs a command: muster exec %s -- COMMAND...", args[0]);
                return EXIT_SESSION;
        }
        return run(o, SESSION_COMMAND, NULL, args[0], args + 1);
}

int verb_shell(const struct options *o, char **args) {
        const char *at = strrchr(args[0], '@');
        AUTO_FREE char *user = at ? strndup(args[0], (size_t) (at - args[0])) : NULL;

        if (at && !user) {
                fail("Out of memory.");
                return EXIT_SESSION;
        }
        return run(o, SESSION_SHELL, user, at ? at + 1 : args[0], args + 1);
}

int verb_login(const struct options *o, char **args) {
        return run(o, SESSION_LOGIN, NULL, args[0], args + 1);
}
