/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service/internal.h: what the files of service/ share and nobody else sees. */
#pragma once

#include "core/machine-state.h"
#include "core/uidindex.h"
#include "service/service.h"

#define LISTENERS_MAX 8

struct idmaps; /* idmaps.c: which host uid belongs to which machine */

struct service {
        struct ports ports;
        struct registry *registry;
        struct machine *host;
        struct idmaps *idmaps;
        struct notify_port listeners[LISTENERS_MAX];
        size_t n_listeners;
};

/* Feeds one event to m and carries out every effect of the transition. m may be gone afterwards.
 * Returns the first error of EFFECT_PERSIST, 0 otherwise. */
int service_apply(struct service *s, struct machine *m, enum machine_event event);

/* Ends the request: finish() runs unless the peer is gone. The fault, if any, was set before. */
void request_finish(struct request *q);
/* Checks q->verb on `target` (NULL: no machine); q->authorized(q, result) goes on from there, now or later. */
void request_authorize(struct request *q, const struct machine *target);
/* Turns anything but AUTH_ALLOWED* into a fault; returns true when q may go on. */
bool request_is_allowed(struct request *q, enum auth_result result);

void register_begin(struct request *q);
void control_begin(struct request *q);
void inspect_begin(struct request *q);

int idmaps_new(struct idmaps **ret);
void idmaps_free(struct idmaps *x);
/* Remembers m; its maps are read when the first question comes. -ENOMEM. */
int idmaps_add(struct idmaps *x, const struct machine *m);
void idmaps_remove(struct idmaps *x, const struct machine *m);
/* The container that holds the host id `outer`, confirmed against the running leader. NULL: none. */
const struct machine *idmaps_find(struct idmaps *x, const struct process_port *process, bool gid, uint32_t outer,
                                  uint32_t *ret_inner);
