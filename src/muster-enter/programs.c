/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is run: the words that were given, a login shell, or what asks for a login. */
#include <errno.h>
#include <string.h>

#include "muster-enter/enter.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define FALLBACK_SHELL "/bin/sh"

static int set_variable(char ***environment, const char *assignment) {
        size_t key = (size_t) (strchr(assignment, '=') - assignment) + 1;

        for (char **e = *environment; e && *e; e++)
                if (strncmp(*e, assignment, key) == 0) {
                        char *copy = strdup(assignment);

                        if (!copy)
                                return -ENOMEM;
                        free(*e);
                        *e = copy;
                        return 0;
                }
        return strv_extend(environment, assignment);
}

static int set_value(char ***environment, const char *key, const char *value) {
        AUTO_BUF struct buf assignment = BUF_EMPTY;

        if (!value)
                return 0;
        if (buf_printf(&assignment, "%s=%s", key, value) < 0)
                return -ENOMEM;
        return set_variable(environment, assignment.data);
}

static int choose_environment(struct enter *e) {
        const struct account *a = &e->account;
        int r;

        r = set_variable(&e->environment, DEFAULT_PATH);
        if (r >= 0)
                r = set_value(&e->environment, "HOME", a->home ? a->home : "/");
        if (r >= 0)
                r = set_value(&e->environment, "USER", a->name);
        if (r >= 0)
                r = set_value(&e->environment, "LOGNAME", a->name);
        if (r >= 0)
                r = set_value(&e->environment, "SHELL",
                              a->shell || e->session->kind != SESSION_SHELL ? a->shell : FALLBACK_SHELL);
        for (char **v = e->session->environment; r >= 0 && v && *v; v++)
                r = set_variable(&e->environment, *v);
        return r;
}

/* argv: copied words, NULL-terminated; they live as long as the process. */
static int add(struct enter *e, size_t *n, const char *path, const char *const *words) {
        char **argv = NULL;

        for (; *words; words++)
                if (strv_extend(&argv, *words) < 0)
                        return -ENOMEM;
        e->programs[(*n)++] = (struct program){ path, argv };
        return 0;
}

static int add_login_shell(struct enter *e, size_t *n, const char *path) {
        AUTO_BUF struct buf name = BUF_EMPTY;
        const char *slash = strrchr(path, '/');

        if (buf_printf(&name, "-%s", slash ? slash + 1 : path) < 0)
                return -ENOMEM;
        return add(e, n, path, (const char *const[]){ name.data, NULL });
}

/* Each asks for a name on the terminal that it is started on. agetty and getty take "-" for that. */
static int add_logins(struct enter *e, size_t *n) {
        static const char *const agetty[] = { "agetty", "--noreset", "--noclear", "-", NULL };
        static const char *const getty[] = { "getty", "0", "-", NULL };
        static const char *const login[] = { "login", NULL };
        static const struct {
                const char *path;
                const char *const *words;
        } known[] = {
                { "/sbin/agetty", agetty },   { "/usr/sbin/agetty", agetty }, { "/sbin/getty", getty },
                { "/usr/sbin/getty", getty }, { "/bin/login", login },        { "/usr/bin/login", login },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(known); i++)
                r = add(e, n, known[i].path, known[i].words);
        return r;
}

int programs_choose(struct enter *e) {
        const struct session *s = e->session;
        AUTO_FREE char *by_unit = NULL;
        size_t n = 0;
        int r = choose_environment(e);

        _Static_assert(ENTER_PROGRAMS_MAX >= 6, "room for every way to log in");
        if (r < 0)
                return r;
        e->directory = s->directory                                     ? s->directory
                       : s->kind == SESSION_COMMAND || !e->account.home ? "/"
                                                                        : e->account.home;
        if (s->kind == SESSION_LOGIN)
                return units_have_login(e) ? units_choose_login(e) : add_logins(e, &n);
        by_unit = s->kind == SESSION_SHELL ? units_find_shell(e) : NULL;
        if (by_unit)
                return units_choose_shell(e, by_unit);
        if (s->arguments) {
                e->programs[0] = (struct program){ s->arguments[0], s->arguments + (s->argv0 ? 1 : 0) };
                return 0;
        }
        if (s->kind == SESSION_SHELL && e->account.shell)
                r = add_login_shell(e, &n, e->account.shell);
        if (s->kind == SESSION_SHELL && r >= 0)
                r = add_login_shell(e, &n, FALLBACK_SHELL);
        return r;
}
