/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client/varlink-client.h: blocking calls to the registry's Varlink socket. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "codec/varlink-answer.h"

#define VARLINK_CLIENT_FDS 4
#define VARLINK_CLIENT_TIMEOUT_MSEC 25000 /* what D-Bus clients grant a call, too */

struct varlink_client; /* opaque */

/* Connects to run_dir/systemd/machine/io.systemd.Machine. timeout_msec counts for the connection and for every later read
 * and write that makes no progress. -EHOSTDOWN: no daemon listens there. -EACCES, -ENAMETOOLONG, -ETIMEDOUT, -ENOMEM. */
int varlink_client_connect(const char *run_dir, unsigned timeout_msec, struct varlink_client **ret);
/* The same for the socket at an absolute path. */
int varlink_client_connect_path(const char *path, unsigned timeout_msec, struct varlink_client **ret);
void varlink_client_free(struct varlink_client *c);
/* From now on a reply may take for ever, as in a stream of what has still to happen. */
void varlink_client_wait_for_ever(struct varlink_client *c);
DEFINE_AUTO(struct varlink_client *, varlink_client_free)

/* Sends one call. method: the full name. parameters: JSON text of an object, NULL: {}. more: ask for a stream of replies. */
int varlink_client_send(struct varlink_client *c, const char *method, const char *parameters, bool more);
/* The same with descriptors (at most VARLINK_CLIENT_FDS), which go along with the message and stay the caller's. */
int varlink_client_send_fds(struct varlink_client *c, const char *method, const char *parameters, const int *fds,
                            size_t n);
/* The next reply; replies to one call end with the first that has !continues. The caller frees it with
 * varlink_answer_done(). -ETIMEDOUT; -ECONNRESET: the daemon hung up; -EBADMSG, -EMSGSIZE: it talks nonsense. */
int varlink_client_next(struct varlink_client *c, struct varlink_answer *ret);
/* As varlink_client_next(), but does not wait: -EAGAIN when no reply is complete; varlink_client_fd() becomes readable. */
int varlink_client_try_next(struct varlink_client *c, struct varlink_answer *ret);
int varlink_client_fd(const struct varlink_client *c); /* borrowed, for poll(2) */
/* Send and the only reply. A reply that carries an error is a success here: look at ret->error. */
int varlink_client_call(struct varlink_client *c, const char *method, const char *parameters,
                        struct varlink_answer *ret);
