/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "core/machine.h"

static const char *const session_kind_table[_SESSION_KIND_MAX] = {
        [SESSION_COMMAND] = "command",
        [SESSION_SHELL] = "shell",
        [SESSION_LOGIN] = "login",
        [SESSION_PTY] = "pty",
};
DEFINE_TABLE(session_kind, enum session_kind)

int session_new(enum session_kind kind, struct session **ret) {
        struct session *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->kind = kind;
        for (size_t i = 0; i < ELEMENTS(s->fds); i++)
                s->fds[i] = -EBADF;
        *ret = s;
        return 0;
}

void session_free(struct session *s) {
        if (!s)
                return;
        for (size_t i = 0; i < ELEMENTS(s->fds); i++)
                machine_close_fd(s->fds[i]);
        free(s->user);
        free(s->directory);
        strv_free(s->arguments);
        strv_free(s->environment);
        free(s);
}

bool session_user_is_valid(const char *user) {
        size_t size = strlen(user);
        uint32_t number;

        if (size == 0 || size > SESSION_USER_MAX || user[0] == ' ' || user[size - 1] == ' ' || user[0] == '-')
                return false;
        for (const char *c = user; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f || *c == ':' || *c == '/')
                        return false;
        if (strspn(user, "0123456789") == size) /* (uid_t) -1 in 32 and 16 bits is nobody */
                return parse_u32(user, &number) == 0 && number != UINT32_MAX && number != UINT16_MAX;
        return true;
}

bool session_assignment_is_valid(const char *s) {
        const char *equals = strchr(s, '=');

        if (!equals || equals == s || (*s >= '0' && *s <= '9'))
                return false;
        for (const char *c = s; c < equals; c++)
                if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') && *c != '_')
                        return false;
        return true;
}

int session_set_program(struct session *s, const char *path, char *const *words) {
        int r;

        if (isempty(path))
                return 0;
        s->argv0 = true;
        r = strv_extend(&s->arguments, path);
        if (r >= 0 && (!words || !*words))
                r = strv_extend(&s->arguments, path);
        for (; r >= 0 && words && *words; words++)
                r = strv_extend(&s->arguments, *words);
        return r;
}

static size_t text_size(char *const *v) {
        size_t size = 0;

        for (; v && *v; v++)
                size += strlen(*v) + 1;
        return size;
}

static int check_words(const struct session *s, struct diag *d) {
        size_t n = strv_length(s->arguments);

        if (s->kind == SESSION_COMMAND && n == 0)
                return diag_set(d, -EINVAL, "arguments", "There is no command to run.");
        if ((s->kind == SESSION_LOGIN || s->kind == SESSION_PTY) && n > 0)
                return diag_set(d, -EINVAL, "arguments", "A login takes no command.");
        if (n > 0 && !s->arguments[0][0])
                return diag_set(d, -EINVAL, "arguments", "The name of the command is empty.");
        if (s->argv0 && n < 2)
                return diag_set(d, -EINVAL, "arguments", "A path needs the name that goes with it.");
        if (s->argv0 && s->arguments[0][0] != '/')
                return diag_set(d, -EINVAL, "path", "The path of the program must be absolute.");
        if (n > SESSION_ARGUMENTS_MAX)
                return diag_set(d, -EINVAL, "arguments", "A command has at most %d words.", SESSION_ARGUMENTS_MAX);
        if (strv_length(s->environment) > SESSION_ENVIRONMENT_MAX)
                return diag_set(d, -EINVAL, "environment", "There are at most %d variables.", SESSION_ENVIRONMENT_MAX);
        for (char **e = s->environment; e && *e; e++)
                if (!session_assignment_is_valid(*e))
                        return diag_set(d, -EINVAL, "environment",
                                        "A variable is written NAME=value, its name of letters, digits and '_'.");
        if (text_size(s->arguments) + text_size(s->environment) > SESSION_TEXT_MAX)
                return diag_set(d, -EINVAL, "arguments", "Command and environment are longer than %zu bytes.",
                                SESSION_TEXT_MAX);
        return 0;
}

int session_check(const struct session *s, struct diag *d) {
        if (s->user && !session_user_is_valid(s->user))
                return diag_set(d, -EINVAL, "user", "A user is a name, or a number below 4294967295.");
        if (s->directory && (s->directory[0] != '/' || strlen(s->directory) >= 4096))
                return diag_set(d, -EINVAL, "workingDirectory", "The working directory must be an absolute path.");
        if (s->terminal && s->detach && s->kind != SESSION_SHELL && s->kind != SESSION_LOGIN && s->kind != SESSION_PTY)
                return diag_set(d, -EINVAL, "detach", "A command that goes on by itself has no terminal.");
        return check_words(s, d);
}

int session_fits(size_t all, size_t own, uint32_t caller) {
        if (caller != 0 && own >= SESSIONS_OF_USER)
                return -EDQUOT;
        return all >= SESSIONS_MAX ? -ENOBUFS : 0;
}
