/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-enter/enter.h: what its three processes share: the outer one, which stays on the host and waits; the one that joins the
 * machine and is gone at once; and the inner one, which becomes the command. */
#pragma once

#include "codec/enter-protocol.h"
#include "muster-enter/account.h"
#include "muster-enter/leader.h"
#include "plan/filter.h"

#define ENTER_PROGRAMS_MAX 8

/* A program to try, and what it is told. */
struct program {
        const char *path; /* without a slash: looked for in $PATH */
        char **argv;
};

struct enter {
        struct session *session;
        struct leader leader;
        struct account account;
        char **environment;
        const char *directory;
        bool by_unit; /* the machine's service manager is asked for a unit on the terminal (units.c), which is not the program's own */
        unsigned unit_number;                            /* part of that unit's name */
        char unit[64], terminal_words[3][64];            /* words of the program then: known when the terminal is */
        struct program programs[ENTER_PROGRAMS_MAX + 1]; /* tried in their order; path NULL at the end */
        struct filter filter;                            /* empty: none */
        int status;                                      /* the client's ear */
        int channel[2];                                  /* outer, inner: reports on their way to it */
};

/* What to run, with which environment and where: from the session and the account. -ENOMEM. */
int programs_choose(struct enter *e);

/* ---- units.c ---- */
/* Does the machine's service manager give logins to those who do not wait for the end? Then one is to be asked for. */
bool units_have_login(const struct enter *e);
int units_choose_login(struct enter *e);
/* The path of the program that a unit is to be made for, owned; NULL: it is started without one. */
char *units_find_shell(const struct enter *e);
int units_choose_shell(struct enter *e, const char *program); /* -ENOMEM */
/* Fills in what only now is known. Makes no system call and allocates nothing. */
void units_name_terminal(struct enter *e, int number);

/* The second process: joins, and starts the third. */
_Noreturn void join(struct enter *e);
/* The third: a process of the machine, which makes system calls only. */
_Noreturn void inside(struct enter *e, int channel);
/* The first: from the start of the second to the end of the third. Returns the exit status of ours. */
int watch(struct enter *e, int joiner_pidfd);

/* ---- report.c ---- */
/* Sends one, with a descriptor (or -EBADF). -EPIPE: nobody listens. */
int report_send(int socket, enum enter_report_kind kind, int32_t value, const char *text, int fd);
/* After the last one: what the client has said meanwhile is read, for a socket that is closed over unread packets tells the other side
 * that the connection was reset before it tells what we sent. */
void report_done(int socket);
/* ENTER_REPORT_FAILED with a sentence. */
void report_failed(int socket, int exit_status, const char *format, ...) __attribute__((format(printf, 3, 4)));
