/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service/service.h: what every verb means, once, for both doors.
 *
 * Look-ups answer at once. Verbs that change something, or look into a machine, take a request and finish it later:
 *   adapter: request_new() -> fill verb, caller, parameters -> service_submit() -> q->finish(q) exactly once.
 * After finish() the adapter drops its reference. When its peer goes away it calls request_cancel() first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/access.h"
#include "core/event-ring.h"
#include "core/ports.h"
#include "core/registry.h"
#include "core/user-name.h"
#include "service/fault.h"

struct service;
struct operation;

/* ports is copied. host: the record of ".host" (consumed). -ENOMEM. */
int service_new(const struct ports *ports, uint64_t seed, struct machine **host, struct service **ret);
void service_free(struct service *s);
DEFINE_AUTO(struct service *, service_free)

/* Doors that want to hear of machines coming and going; n is copied. At most 8. -ENOSPC. */
int service_add_listener(struct service *s, const struct notify_port *n);
/* Loads the journal of events and the records, drops the dead, announces the living (again) and the ended. -ENOMEM, -EIO: the
 * journal cannot be read, so that it is not known which numbers are free: nothing was recovered, and nothing may go on. */
int service_recover(struct service *s);

/* For doors that identify a peer process. Borrowed. */
const struct ports *service_ports(const struct service *s);

/* ---- events from the ports ---- */
void service_leader_exited(struct service *s, struct machine *m);

/* ---- the journal of events ---- */
/* Notes that something happened to m, or is done to it from now on; to be called before the request is answered. by: who wants it;
 * NULL: nobody, it was noticed. details (NULL: none) end with a NULL key; at most EVENT_DETAILS_MAX; values may be any text, and are
 * cut. Everybody may read them: they are no place for arguments, environments and other people's secrets. */
void service_event(struct service *s, enum event_kind kind, const struct machine *m, const struct caller *by,
                   const struct event_detail *details);
const struct event_ring *service_events(const struct service *s);

/* ---- look-ups: no authorisation ---- */
/* ".host" gives the host record. NULL: none. */
struct machine *service_find(struct service *s, const char *name);
/* registry.md section 9: leader, then unit, then the same for the parent. NULL: none. */
struct machine *service_find_by_pid(struct service *s, pid_t pid);
/* In order of registration, the host first when with_host. NULL at the end. */
struct machine *service_first(struct service *s, bool with_host);
struct machine *service_next(struct service *s, const struct machine *m);
size_t service_count(struct service *s); /* without the host */

/* Name and/or process of a target, as both doors give them: name NULL or "", pid -1: not given. Both given must agree.
 * -1 with FAULT_NO_SUCH_MACHINE or FAULT_INVALID_ARGUMENT in *f. */
int service_target(struct service *s, const char *name, pid_t pid, struct machine **ret, struct fault *f);

/* ".host" is an image, too. 0, or -1 with FAULT_NO_SUCH_IMAGE. */
int service_find_image(struct service *s, const char *name, struct fault *f);

int service_uid_shift(struct service *s, const struct machine *m, uint32_t *ret, struct fault *f);
int service_map_from(struct service *s, const struct machine *m, bool gid, uint32_t inner, uint32_t *ret,
                     struct fault *f);
int service_map_to(struct service *s, bool gid, uint32_t outer, const struct machine **ret_m, uint32_t *ret_inner,
                   struct fault *f);
/* Whether there are machines whose user maps were not read yet: the first question about a user would read them all. Reads a few of them,
 * for when there is nothing else to do; returns whether there are more. */
bool service_has_unread(const struct service *s);
bool service_read_ahead(struct service *s);

/* What m uses now; .host and what has no control group use what is not known. */
void service_stats(struct service *s, const struct machine *m, struct machine_stats *ret);

/* A user or group of a container, as the host's user database has it. */
struct machine_user {
        const struct machine *machine;
        uint32_t inside, outside;
        char name[USER_NAME_MAX + 1];
};
/* False: no container has it, or its machine is called so that there can be no name for it. */
bool service_user_by_id(struct service *s, bool group, uint32_t outside, struct machine_user *ret);
bool service_user_by_name(struct service *s, bool group, const char *name, struct machine_user *ret);

/* ---- requests ---- */
struct registration {
        struct machine *machine;       /* owned; what the client asked for. leader.pid 0: the caller */
        int leader_fd;                 /* owned pidfd, or -EBADF */
        uint64_t leader_id;            /* pidfd inode the client claims, 0: not given */
        bool create;                   /* make a scope for it (CreateMachine, allocateUnit) */
        bool reply_early;              /* Varlink: finish as soon as the machine is recorded */
        struct scope_properties scope; /* create only */
};

void registration_free(struct registration *r);
DEFINE_AUTO(struct registration *, registration_free)

struct request {
        unsigned n_ref;
        struct service *service;
        enum verb verb;
        struct caller caller;              /* bus_name is owned by the request */
        char *name;                        /* target machine, owned; NULL for REGISTER/CREATE */
        struct registration *registration; /* REGISTER/CREATE, owned */
        struct session *session;           /* EXEC, OPEN_PTY, OPEN_LOGIN, OPEN_SHELL, owned */
        int socket;                        /* OPEN_LOG: the files are sent there; owned, or -EBADF */
        struct transfer *transfer;         /* BIND, COPY_TO, COPY_FROM, owned */
        enum kill_whom whom;               /* KILL */
        int signal;                        /* KILL */
        const char *detail_key;            /* polkit detail key of the name: "machine" (default) or "name" */

        struct fault fault;                     /* set when finish() runs; kind NONE: success */
        const struct inspect_result *inspected; /* ADDRESSES, OS_RELEASE, OPEN_ROOT: valid during finish() only */
        const struct opened *opened;            /* OPEN_PTY, OPEN_LOGIN, OPEN_SHELL: likewise */
        const struct machine *machine;          /* REGISTER/CREATE: the new machine, valid during finish() only */

        void (*finish)(struct request *q);
        void *adapter;      /* the adapter's own */
        int adapter_number; /* likewise */

        const char *
                action; /* polkit's, for what is wanted of whom it is wanted of; NULL: not asked yet, or there is none */

        /* private to service/ */
        void *auth_handle;
        struct operation *operation; /* being carried out, and nobody is answered before it has ended */
        void (*authorized)(struct request *q, enum auth_result result); /* what goes on after the access check */
        bool cancelled, finished;
};

int request_new(struct service *s, enum verb verb, struct request **ret);
struct request *request_ref(struct request *q);
void request_unref(struct request *q);
DEFINE_AUTO(struct request *, request_unref)
void service_submit(struct request *q);
/* The peer is gone: finish() will not run any more. What was begun is completed or undone without it. */
void request_cancel(struct request *q);

/* Somebody is being asked for permission, or it takes its time: worth watching whether the peer stays. */
static inline bool request_is_waiting(const struct request *q) {
        return q->auth_handle || q->operation;
}

/* Only the access check of q->verb on q->name (may be NULL): finish() with fault NONE when allowed. For verbs that the
 * doors carry out themselves (VERB_METADATA, VERB_SET_LOG). */
void service_authorize(struct request *q);
