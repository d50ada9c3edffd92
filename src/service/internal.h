/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service/internal.h: what the files of service/ share and nobody else sees. */
#pragma once

#include "core/deed-share.h"
#include "core/machine-state.h"
#include "core/uidindex.h"
#include "service/service.h"

#define LISTENERS_MAX 8

struct operation;
struct idmaps; /* idmaps.c: which host uid belongs to which machine */

struct service {
        struct ports ports;
        struct registry *registry;
        struct machine *host;
        struct idmaps *idmaps;
        struct event_ring *events;
        struct operation *operations; /* transfer.c: copies and mounts that are being made */
        struct deed_shares deeds;     /* of users, in the journal */
        bool events_unsaved;          /* that the last ones could not be saved was logged */
        struct notify_port listeners[LISTENERS_MAX];
        size_t n_listeners;
};

/* Feeds one event to m and carries out every effect of the transition. m may be gone afterwards. by: who wants it; NULL: nobody.
 * Returns the first error of EFFECT_PERSIST, 0 otherwise. */
int service_apply(struct service *s, struct machine *m, enum machine_event event, const struct caller *by);

/* Ends the request: finish() runs unless the peer is gone. The fault, if any, was set before. */
void request_finish(struct request *q);
/* Checks q->verb on `target` (NULL: no machine); q->authorized(q, result) goes on from there, now or later. */
void request_authorize(struct request *q, const struct machine *target);
/* Turns anything but AUTH_ALLOWED* into a fault; returns true when q may go on. */
bool request_is_allowed(struct request *q, enum auth_result result);

/* Notes that somebody has sig sent to m. */
void service_note_signal(struct service *s, const struct machine *m, const struct caller *by, int sig,
                         enum kill_whom whom);

void register_begin(struct request *q);
void control_begin(struct request *q);
void inspect_begin(struct request *q);
void session_begin(struct request *q);
void console_log_begin(struct request *q);
void transfer_begin(struct request *q);
/* Nobody waits for it any more. */
void transfer_cancel(struct request *q);

/* Somebody's machine without a user namespace is nobody's to enter (session.c). */
int session_check_owner(struct request *q, const struct machine *m, struct fault *f);

/* ---- events.c ---- */
int events_load(struct service *s);

/* What the journal says of machines, looked at once, when it was loaded. */
struct history;
/* -ENOMEM. */
int history_new(const struct service *s, struct history **ret);
void history_free(struct history *h);
DEFINE_AUTO(struct history *, history_free)
/* The last that became of m in this life of its name; _EVENT_KIND_MAX: nothing was noted. *ret_complete: then nothing happened, for
 * the journal reaches back to when m was registered. */
enum event_kind history_of(const struct history *h, const struct machine *m, bool *ret_complete);

/* ---- idmaps.c ---- */
int idmaps_new(struct idmaps **ret);
void idmaps_free(struct idmaps *x);
/* Remembers m; its maps are read when the first question comes. -ENOMEM. */
int idmaps_add(struct idmaps *x, const struct machine *m);
void idmaps_remove(struct idmaps *x, const struct machine *m);
/* Machines whose maps were not looked at yet. Reads a few of them; returns whether there are more. */
bool idmaps_have_unread(const struct idmaps *x);
bool idmaps_read_ahead(struct idmaps *x, const struct process_port *process);
/* The container that holds the host id `outer`, confirmed against the running leader. NULL: none. */
const struct machine *idmaps_find(struct idmaps *x, const struct process_port *process, bool gid, uint32_t outer,
                                  uint32_t *ret_inner);
