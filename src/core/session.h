/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/session.h: what somebody wants to run inside a machine: plain data, and whether it makes sense. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/diag.h"
#include "base/table.h"

#define SESSION_ARGUMENTS_MAX 16384
#define SESSION_ENVIRONMENT_MAX 16384
#define SESSION_TEXT_MAX ((size_t) 1 << 20) /* bytes of all strings, each with its NUL */
#define SESSION_USER_MAX 255
#define SESSIONS_MAX 1024    /* at once, those that wait to be started included; */
#define SESSIONS_OF_USER 128 /* of which this many are for each user but root */

enum session_kind {
        SESSION_COMMAND, /* arguments, as they are */
        SESSION_SHELL,   /* arguments, or the user's login shell, with that user's directory and environment */
        SESSION_LOGIN,   /* whatever of the machine asks who wants in: agetty, getty or login */
        SESSION_PTY,     /* nothing: only a pseudo terminal of the machine is opened */
        _SESSION_KIND_MAX,
};
DECLARE_TABLE(session_kind, enum session_kind); /* "command" "shell" "login" "pty" */

enum session_fd {
        SESSION_FD_STATUS, /* SOCK_SEQPACKET: reports go there (codec/enter-protocol.h) */
        SESSION_FD_INPUT,  /* the other three: standard input, output and error; not with a terminal, nor detached */
        SESSION_FD_OUTPUT,
        SESSION_FD_ERROR,
        _SESSION_FD_MAX,
};

/* Strings are owned. */
struct session {
        enum session_kind kind;
        bool terminal;          /* on a new pseudo terminal of the machine, whose master is reported */
        bool detach;            /* it goes on when nobody listens any more */
        bool argv0;             /* arguments[0] is the path of the program, arguments[1] what it is told to be called */
        uint32_t caller;        /* uid of whoever asked for it */
        uint16_t rows, columns; /* of the terminal; 0: not known */
        uint64_t timeout_usec;  /* 0: none */
        char *user;             /* name or number; NULL: root of the machine */
        char *directory;        /* absolute; NULL: "/" for a command, else the user's own */
        char **arguments;
        char **environment;       /* KEY=value, over what the user has */
        int fds[_SESSION_FD_MAX]; /* owned, -EBADF where there is none; closed as those of machines are (core/machine.h) */
};

int session_new(enum session_kind kind, struct session **ret);
void session_free(struct session *s);
DEFINE_AUTO(struct session *, session_free)

/* As OpenShell has it: path is the program and words are what it is told, its name first; without words they are the path. No path
 * means the login shell, whatever the words are. -ENOMEM. */
int session_set_program(struct session *s, const char *path, char *const *words);

/* Whether it can be begun, descriptors apart. -EINVAL: d->text says in a sentence what is wrong, d->field names it as the parameters
 * of org.muster.Machine1.Exec do. */
int session_check(const struct session *s, struct diag *d);

/* Is there room for one more of the caller, where there are `all`, and `own` of them the caller's? -ENOBUFS: there are too many; -EDQUOT:
 * too many of the caller, so that nobody keeps the others out. */
int session_fits(size_t all, size_t own, uint32_t caller);

/* A name that can be in a passwd file, or a number that is a user's: no ':', '/', control characters or outer blanks. */
bool session_user_is_valid(const char *user);
/* KEY=value, the key as a shell takes it. */
bool session_assignment_is_valid(const char *s);
