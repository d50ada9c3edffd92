/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/access.h: who may do what in principle: the only place where privileges are spelled. */
#pragma once

#include <stdbool.h>

enum verb {
        VERB_REGISTER,
        VERB_CREATE,
        VERB_UNREGISTER,
        VERB_TERMINATE,
        VERB_KILL,
        VERB_LIST,
        VERB_METADATA /* os-release and addresses by Varlink List */,
        VERB_OS_RELEASE,
        VERB_ADDRESSES,
        VERB_OPEN_ROOT,
        VERB_EXEC,
        VERB_OPEN_PTY,
        VERB_OPEN_LOGIN,
        VERB_OPEN_SHELL,
        VERB_OPEN_LOG /* what machines have said on their consoles */,
        VERB_BIND,
        VERB_COPY_TO,
        VERB_COPY_FROM,
        VERB_SET_LOG /* LogControl1, SetLogLevel, GetEnvironment */,
        VERB_EVENTS /* reading the journal of events */,
        VERB_MANAGE_UNITS /* all that changes a scope of the scope manager */,
        _VERB_MAX,
};

struct access_rule {
        const char *action;      /* polkit action; NULL and !root_only: everybody may */
        const char *host_action; /* of the same for the host itself; NULL: the same one */
        const char *verb;        /* polkit detail "verb"; NULL: none */
        bool owner;              /* the machine's owner needs no polkit */
        bool root_only;          /* never asked of polkit */
};

const struct access_rule *access_rule(enum verb verb);
