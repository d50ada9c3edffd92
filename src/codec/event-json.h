/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/event-json.h: events as JSON: members of an object, a line of the journal's files, a reply of Subscribe. */
#pragma once

#include "base/diag.h"
#include "base/str.h"
#include "codec/json-text.h"
#include "codec/varlink-answer.h"
#include "core/event-ring.h"

#define EVENT_LINE_MAX 8192 /* bytes; what event_line_encode() writes is shorter */

/* Adds the members of e to the object that j is in; what is not known is left out. */
void event_json_add(struct json_text *j, const struct event *e);
/* Adds "gap":{"from":N,"to":N}. */
void event_json_add_gap(struct json_text *j, const struct event_gap *gap);

/* Appends one JSON object and a newline. -ENOMEM. */
int event_line_encode(const struct event *e, struct buf *out);
/* text (hostile): one line, without its newline. Members that are not known are ignored. *ret is one block for free(3). -EBADMSG,
 * -EMSGSIZE: it is no event. -ENOMEM. */
int event_line_decode(const char *text, size_t size, struct event **ret);

enum event_lines { EVENT_LINES_GOOD, EVENT_LINES_TORN, EVENT_LINES_BAD };

/* A whole file. Calls found() with each event whose number is above that of the one before, the first above `after`; it may take
 * *e (and set it to NULL); a negative result ends it, and is returned. EVENT_LINES_TORN: behind the last newline is the beginning
 * of a line, as a writer leaves it that was killed. EVENT_LINES_BAD: there are other lines that are no events; d has the first.
 * -ENOMEM. */
int event_lines_decode(const char *text, size_t size, uint64_t after, int (*found)(void *userdata, struct event **e),
                       void *userdata, struct diag *d);

/* What Subscribe tells: one of the three. */
struct event_reply {
        struct event *event;  /* owned; NULL: it is another */
        struct event_gap gap; /* from 0: it is another */
        struct event_position {
                bool set;
                uint64_t sequence; /* the newest number */
                struct id128 boot_id;
        } position;
};

/* -EBADMSG: it is none of them. -ENOMEM. */
int event_reply_decode(const struct varlink_answer *answer, struct event_reply *ret);
