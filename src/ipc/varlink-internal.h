/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/varlink-internal.h: what the Varlink files share. */
#pragma once

#include <systemd/sd-event.h>

#include "base/str.h"
#include "codec/json-text.h"
#include "codec/varlink-call.h"
#include "codec/varlink-frame.h"
#include "ipc/varlink-server.h"
#include "ipc/varlink-socket.h"
#include "service/service.h"

#define VARLINK_FDS_MAX 4               /* descriptors that a call may bring */
#define OUTPUT_HIGH ((size_t) 64 << 10) /* bytes waiting to be sent: no more is produced above it */

struct stream;       /* varlink-list.c: a List on its way */
struct subscription; /* varlink-events.c: a reader of the journal */
struct wait;         /* varlink-state.c: who waits for something to become of a machine */
struct domains;      /* varlink-resolve.c: who wants to know the names that can be resolved */
struct uid_count;

/* A socket, and what is offered on it. */
struct varlink_method;
struct varlink_door_type {
        const char *place;        /* below the run-time directory */
        const char *fd_name;      /* of one that is handed over; NULL: none is */
        const char *const *links; /* other places that lead to it; end with NULL, as do the others */
        const char *const *interfaces;
        const struct varlink_method *const *methods;
};
#define VARLINK_DOORS 3
extern const struct varlink_door_type varlink_door_types[VARLINK_DOORS]; /* without the first there is no service */

struct varlink_door {
        struct varlink_server *server;
        const struct varlink_door_type *type;
        struct varlink_socket socket;
        sd_event_source *listen;
};

struct varlink_server {
        sd_event *event;
        struct service *service;
        const struct log_control *log_control;
        struct id128 boot_id;
        struct varlink_door doors[VARLINK_DOORS];
        sd_event_source *ticker;
        struct connection *connections;
        struct stream *streams;
        struct subscription *subscriptions;
        struct wait *waits;
        struct domains *domains;
        sd_event_source *domains_timer;
        struct uid_count *counts;
        size_t n_connections, held; /* held: by all but root, see is_within_bounds() */
        bool short_of_descriptors;  /* accepting has failed for want of them since the last tick */
};

/* One client. At most one call is carried out at a time; further ones wait in the frame. */
struct connection {
        struct varlink_server *server;
        const struct varlink_door_type *door;
        int fd;
        sd_event_source *io, *again; /* again: another turn soon, without waiting for the peer */
        uid_t uid;
        pid_t pid;
        struct uid_count *user;
        size_t held;        /* bytes that came and were not taken, or wait to be sent, when its last turn had ended */
        size_t held_fds;    /* likewise: descriptors that came with a call that is not complete */
        struct pidref peer; /* without fd; set when first asked for */
        struct varlink_frame in;
        int in_fds[VARLINK_FDS_MAX]; /* came with bytes of in, and no call has taken them yet */
        size_t n_in_fds;
        struct buf out;
        size_t out_sent;
        int out_fd; /* goes with the bytes of out from fd_begin to fd_end; -EBADF: none */
        size_t fd_begin, fd_end;
        uint32_t events;                   /* what io waits for */
        struct request *request;           /* being carried out */
        struct stream *stream;             /* being sent */
        struct subscription *subscription; /* likewise */
        struct domains *domains;           /* likewise */
        struct wait *wait;                 /* likewise */
        bool oneway, more;                 /* of the call being carried out */
        bool busy, closing, processing;
        bool unfinished; /* stopped with work left that waits for nobody but us, or for room: another turn */
        bool called;     /* once at least */
        unsigned idle_ticks;
        size_t reply_start;
        struct connection *previous, *next;
};

/* ---- replies: begin, add members to the object, end ---- */
struct json_text reply_begin(struct connection *c);
void reply_end(struct connection *c, struct json_text *j, bool continues);
void reply_empty(struct connection *c);
/* The descriptor (duplicated) travels with the reply that was just ended; calls wait until it is sent. When none is free,
 * -EMFILE, and the reply is taken back. */
int reply_attach(struct connection *c, int fd);
/* With one string member, or none (key NULL). */
void reply_error(struct connection *c, const char *id, const char *key, const char *value);
/* With more members: begin, add them, end. */
struct json_text reply_error_begin(struct connection *c, const char *id);
void reply_error_end(struct connection *c, struct json_text *j);
void reply_fault(struct connection *c, const struct fault *f);
void reply_invalid(struct connection *c, const char *parameter);

/* The call that made the connection busy is answered: goes on with the next, from the loop and never from here, for whoever
 * says so may still hold what the next call takes away. */
void connection_finish_call(struct connection *c);
/* There is more to do than when the connection had its turn: it gets another, from the loop. */
void connection_kick(struct connection *c);
/* The peer as a caller; its process is identified when asked for, and held where polkit will be asked about it. */
int connection_caller(struct connection *c, bool process, struct caller *ret);

/* The descriptors that came with the call being handled, in their order: the caller owns them. Others than these calls leave them to
 * be closed. Returns how many there are. */
size_t connection_take_fds(struct connection *c, int ret[static VARLINK_FDS_MAX]);

/* ---- methods ---- */
struct varlink_method {
        const char *name; /* "INTERFACE.METHOD"; NULL ends a table */
        void (*handle)(struct connection *c, const struct varlink_call *call);
};
extern const struct varlink_method varlink_common_methods[]; /* org.varlink.service */
extern const struct varlink_method varlink_machine_methods[];
extern const struct varlink_method varlink_image_methods[];
extern const struct varlink_method varlink_user_methods[];
extern const struct varlink_method varlink_resolve_methods[];
extern const struct varlink_method varlink_session_methods[];
extern const struct varlink_method varlink_state_methods[];
extern const struct varlink_method varlink_service_methods[];
extern const struct varlink_method varlink_event_methods[];

/* name and pid of the target, as most methods have them. */
struct target {
        const char *name;
        struct varlink_process pid;
        bool interactive;
};

#define TARGET_FIELDS(type)                                                                        \
        { "name", VARLINK_STRING, offsetof(type, target.name) },                                   \
                { "pid", VARLINK_PROCESS, offsetof(type, target.pid) }, {                          \
                "allowInteractiveAuthentication", VARLINK_BOOL, offsetof(type, target.interactive) \
        }

/* False: the error was sent. */
bool varlink_extract(struct connection *c, const struct varlink_call *call, const struct varlink_field *fields,
                     void *out);
bool varlink_find_target(struct connection *c, const struct target *t, struct machine **ret);
/* Submits q (consumed) for the call; the answer is empty unless `finish` says otherwise. */
void varlink_submit(struct connection *c, struct request *q, bool interactive, void (*finish)(struct request *q));

/* varlink-session.c: io.systemd.Machine.Open. */
void varlink_open(struct connection *c, const struct varlink_call *call);

/* Errors of org.muster.Machine1 carry their sentence along. action: of polkit, that would allow it; NULL: there is none. */
void reply_with_sentence(struct connection *c, const struct fault *f, const char *action);
void finish_with_sentence(struct request *q);

/* ---- varlink-transfer.c ---- */
void varlink_bind(struct connection *c, const struct varlink_call *call);
void varlink_copy_to(struct connection *c, const struct varlink_call *call);
void varlink_copy_from(struct connection *c, const struct varlink_call *call);
void varlink_transfer(struct connection *c, const struct varlink_call *call);

/* ---- varlink-list.c ---- */
void varlink_list(struct connection *c, const struct varlink_call *call);
/* Produces output until OUTPUT_HIGH or the end. */
void stream_continue(struct stream *s);
void stream_cancel(struct stream *s);
/* m is about to go: streams that would send it next go on behind it. */
void streams_skip(struct varlink_server *v, const struct machine *m);

/* ---- varlink-events.c ---- */
/* Produces output until OUTPUT_HIGH, or until all is told that has happened. */
void subscription_continue(struct subscription *s);
void subscription_cancel(struct subscription *s);
/* There is a new event. */
void subscriptions_wake(struct varlink_server *v);

/* ---- varlink-state.c ---- */
void wait_cancel(struct wait *w);
/* Answers those who wait for it. */
void waits_tell(struct varlink_server *v, const struct event *e);

/* ---- varlink-resolve.c ---- */
/* Tells the names again, when they are others than before and the peer has taken the last ones. */
void domains_continue(struct domains *d);
void domains_cancel(struct domains *d);
/* A machine has come, or is about to go. */
void domains_changed(struct varlink_server *v);

/* ---- varlink-server.c ---- */
/* Whether connections are taken. */
void varlink_server_listen(struct varlink_server *v, bool on);
