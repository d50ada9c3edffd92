/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/event.h: something that happened to a machine: plain data, one entry of the journal of events. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/id128.h"
#include "base/table.h"
#include "core/machine.h"

/* The names are API: of musterd's journal, of org.muster.Machine1, of `muster events`. */
enum event_kind {
        /* What became of a machine. */
        EVENT_KIND_REGISTERED,    /* it was made known while it ran */
        EVENT_KIND_CREATED,       /* it was made known, a scope is being made for it; then running or create-failed */
        EVENT_KIND_RUNNING,       /* its scope is there, and the leader in it */
        EVENT_KIND_CREATE_FAILED, /* its scope could not be made: it is known no more */
        EVENT_KIND_CLOSING,       /* somebody asked it to end */
        EVENT_KIND_REMOVED,       /* its leader is dead: it is known no more */
        EVENT_KIND_UNREGISTERED,  /* somebody had it forgotten: it is known no more, and may run on */
        /* What somebody was allowed to do to it; whether that worked is for the reply to say. */
        EVENT_KIND_KILL,
        EVENT_KIND_EXEC,
        EVENT_KIND_SHELL,
        EVENT_KIND_LOGIN,
        EVENT_KIND_OPEN_PTY,
        EVENT_KIND_OPEN_ROOT,
        EVENT_KIND_BIND,
        EVENT_KIND_COPY_TO,
        EVENT_KIND_COPY_FROM,
        EVENT_KIND_LIMIT,
        _EVENT_KIND_MAX,
};
DECLARE_TABLE(event_kind, enum event_kind);

#define EVENT_KIND_NAME_MAX 32 /* bytes; a kind that a later version knows is carried along by its name */
#define EVENT_DETAILS_MAX 8
#define EVENT_KEY_MAX 32    /* bytes: letters, digits and '-' */
#define EVENT_VALUE_MAX 256 /* bytes */
#define EVENT_NOBODY ((uid_t) -1)
#define EVENT_SEQUENCE_MAX (UINT64_C(1) << 53) /* what every reader of JSON can count to */

struct event_detail {
        const char *key, *value;
};

struct event {
        uint64_t sequence; /* from 1 on */
        uint64_t realtime_usec, monotonic_usec;
        struct id128 boot_id;
        const char *kind;
        const char *machine;
        enum machine_class class;
        pid_t leader;    /* 0: not known */
        uid_t actor_uid; /* who did it; EVENT_NOBODY: nobody, it was noticed */
        pid_t actor_pid; /* 0: not known */
        const struct event_detail *details;
        size_t n_details;
};

/* Could it be one of ours? Names, texts and numbers are within their bounds. */
bool event_is_valid(const struct event *e);
/* A copy in one block of memory, strings and details with it: free(3) ends it. -ENOMEM. */
int event_copy(const struct event *e, struct event **ret);
/* The size of that block. */
size_t event_size(const struct event *e);

/* What a value becomes that may be too long, or no text: cut, or escaped. ret: EVENT_VALUE_MAX + 1 bytes. Returns ret. */
char *event_value(const char *s, char ret[static EVENT_VALUE_MAX + 1]);
