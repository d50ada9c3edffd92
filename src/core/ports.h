/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/ports.h: what the service layer needs from the outside, as structs of functions. Each is implemented in backend/
 * (or by the doors in ipc/) and faked in tests/unit. `impl` is passed back as the first argument.
 *
 * Rules for every port: no call blocks; a call that answers later takes a callback that runs exactly once, possibly
 * before the call returns; strings and records passed in are borrowed for the time of the call only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"
#include "base/pidref.h"
#include "core/event.h"
#include "core/machine.h"
#include "core/scope.h"
#include "core/session.h"
#include "core/stats.h"
#include "core/transfer.h"
#include "core/uidindex.h"
#include "core/unit.h"

/* ---- processes ---- */
struct process_port {
        void *impl;
        /* Opens the process (pidfd, id, start time). fd: a pidfd to take over instead (dup'ed), or -EBADF.
         * -ESRCH: no such process. -EINVAL: fd is no pidfd, or it and pid disagree (pid 0: not compared). */
        int (*open)(void *impl, pid_t pid, int fd, struct pidref *ret);
        void (*close)(void *impl, struct pidref *p);
        /* Re-opens a recorded process and compares its identity. -ESRCH: dead or recycled. On success the fd in *p is held. */
        int (*reopen)(void *impl, struct pidref *p);
        bool (*is_alive)(void *impl, const struct pidref *p); /* needs p->fd */
        /* 1: the process is wholly that user's (real, effective and saved) in our user namespace, or lives in one below ours that
         * he owns (at most 16 up, ours excluded); 0: not; -errno. */
        int (*belongs_to)(void *impl, const struct pidref *p, uid_t uid);
        int (*parent)(void *impl, pid_t pid, pid_t *ret); /* -ESRCH */
        /* Signals one process by its pidfd, re-opening and comparing it first when p->fd is not held. -ESRCH. */
        int (*signal)(void *impl, const struct pidref *p, int sig);
        /* Tells service_leader_exited() when m->leader dies, until unwatch. m must stay at its address. */
        int (*watch)(void *impl, struct machine *m);
        void (*unwatch)(void *impl, struct machine *m);
        /* /proc/PID/uid_map or gid_map. -ESRCH: dead. An empty map (not written yet) gives n_ranges 0. */
        int (*id_map)(void *impl, const struct pidref *p, bool gid, struct idmap *ret);
        /* Is it in our own user namespace, so that its root is the host's? 1, 0 or -errno. */
        int (*shares_users)(void *impl, const struct pidref *p);
};

/* ---- where machines live ---- */
struct placement {
        char *unit;     /* malloc'ed, NULL: the process sits in no unit */
        char *subgroup; /* malloc'ed or NULL */
        char *cgroup;   /* malloc'ed: path in the tracking hierarchy, or NULL where there is none */
};
void placement_done(struct placement *p);

typedef void (*port_done_fn)(void *userdata, int error);

enum kill_whom { KILL_LEADER, KILL_SUPERVISOR, KILL_ALL, _KILL_WHOM_MAX };
DECLARE_TABLE(kill_whom, enum kill_whom);

/* Why create() failed, where an errno is too poor. */
struct refusal {
        const char *name; /* the service manager's own name for the error; NULL: there is none */
        const char *text; /* a sentence */
};

struct supervisor_port {
        void *impl;
        /* Where a process is now. unit NULL when its path has no unit (or the host has no cgroups). -ESRCH. */
        int (*locate)(void *impl, pid_t pid, struct placement *ret);
        /* The unit name and cgroup that create() would use: known before anything is made, so it can be recorded first.
         * cgroup and unit NULL: no writable hierarchy, the machine will be tracked by its pidfd alone. -EOPNOTSUPP with a sentence in
         * d: a limit that this host cannot enforce. */
        int (*plan)(void *impl, const char *name, const struct scope_properties *props, struct placement *ret,
                    struct diag *d);
        /* Makes m->cgroup (planned before) with its limits and moves the leader in; done(userdata, 0 or -errno) runs when
         * the leader is there. When it fails nothing is left behind. */
        void (*create)(void *impl, const struct machine *m, const struct scope_properties *props, port_done_fn done,
                       void *userdata);
        /* Signals every process of the machine: of its cgroup (subgroup), or without one of its leader's pid namespace or
         * its descendants. done gets -ESRCH when there was none. */
        void (*kill_all)(void *impl, const struct machine *m, int sig, port_done_fn done, void *userdata);
        /* Asks the machine to end, and makes it end some seconds later if it has not. */
        int (*stop)(void *impl, const struct machine *m);
        /* The leader is dead: kills what is left in a cgroup that we made, removes it as soon as it is empty. A machine that
         * is recorded as opening never was one: its create() ended with our predecessor, and is taken back. */
        void (*release)(void *impl, const struct machine *m);
        /* Unregistered while running: forget a pending stop; a cgroup that we made is removed once it is empty. */
        void (*abandon)(void *impl, const struct machine *m);
        /* After loading the records: cgroups that we made and that no record names are removed once empty. */
        void (*adopt)(void *impl, const struct machine *m); /* one call for each recovered machine, then: */
        void (*sweep)(void *impl);
        /* Scope properties are somebody else's business (a service manager's): the doors hand all of them on unread. */
        bool passes_properties;
        /* May be NULL. During a done() of create() with an error: what is known about it, or NULL. -ESHUTDOWN in that done()
         * means that we end before it is known: the record stays, and the next start finds out. */
        const struct refusal *(*refusal)(void *impl);
        /* May be NULL. The unit (malloc'ed) of a process for which locate() has none: on cgroup v1 one may be in a scope in the
         * hierarchies of its limits only. -ENXIO. */
        int (*locate_limits)(void *impl, pid_t pid, char **ret_unit);
        /* May be NULL. What the machine uses: what is known is filled in, of what is initialised. */
        void (*stats)(void *impl, const struct machine *m, struct machine_stats *ret);
};

/* ---- scopes without a machine (--scope-manager) ---- */
typedef int (*cgroup_process_fn)(void *userdata, const char *cgroup, pid_t pid, const char *comm);

struct scope_port {
        void *impl;
        /* The cgroup that create() would make, malloc'ed: known before anything is. -EOPNOTSUPP, -EEXIST with a sentence in d. */
        int (*plan)(void *impl, const struct unit *u, const struct scope_properties *props, char **ret_cgroup,
                    struct diag *d);
        /* Makes u->cgroup with its limits, notes u on it, and moves those of the processes in that still live. -ESRCH: none
         * does. When it fails nothing is left behind. */
        int (*create)(void *impl, const struct unit *u, const struct scope_properties *props,
                      const struct pidref *processes, size_t n, struct diag *d);
        /* Notes u on its cgroup again. */
        int (*save)(void *impl, const struct unit *u);
        /* From now on units_emptied() is told, once, when its cgroup held no process any more and was removed; possibly
         * before this returns. -ENOMEM. */
        int (*watch)(void *impl, const struct unit *u);
        /* Changes the limits of a cgroup that create() here or of the supervisor port has made. -EOPNOTSUPP, -EINVAL with a
         * sentence in d. */
        int (*limit)(void *impl, const char *cgroup, const struct scope_properties *props, struct diag *d);
        /* Signals everything in and below the cgroup: the count, or -errno. */
        int (*signal)(void *impl, const char *cgroup, int sig);
        /* Kills everything in it until it is empty. Needs watch(). */
        void (*kill)(void *impl, const struct unit *u);
        /* units_late() is told in usec from now, until disarm(). u must stay at its address. */
        int (*arm)(void *impl, struct unit *u, uint64_t usec);
        void (*disarm)(void *impl, struct unit *u);
        /* Calls found() with each process in and below the cgroup, until it returns non-zero, which is returned. */
        int (*processes)(void *impl, const char *cgroup, cgroup_process_fn found, void *userdata);
        /* Calls found() with each scope that carries a note (consumed). */
        int (*load)(void *impl, void (*found)(void *userdata, struct unit *u), void *userdata);
        /* Where the host's tree begins in the tracking hierarchy: "" is the top. */
        const char *(*root)(void *impl);
};

/* ---- records that outlive us ---- */
struct store_port {
        void *impl;
        int (*save)(void *impl, const struct machine *m);
        int (*drop)(void *impl, const struct machine *m);
        /* Calls found() with each record (consumed). Bad files are set aside and logged once by the store. */
        int (*load)(void *impl, void (*found)(void *userdata, struct machine *m), void *userdata);
};

/* ---- may this caller? ---- */
struct caller {
        uid_t uid;
        struct pidref process; /* the peer; fd owned by the request, held only where it is needed */
        const char *bus_name;  /* D-Bus unique name; NULL for Varlink */
        bool interactive;      /* it may be asked for a password */
};

enum auth_result {
        AUTH_ALLOWED = 0,
        AUTH_ALLOWED_ADMIN, /* authenticated as administrator: may register any process */
        AUTH_DENIED,
        AUTH_INTERACTION_REQUIRED,
        AUTH_TOO_MANY, /* questions of this caller, or of everybody, wait for their answers */
};

struct auth_detail {
        const char *key, *value;
};

struct auth_port {
        void *impl;
        /* Asks about `action` for caller; details end with a NULL key. answer runs once unless cancelled. *ret_handle may be
         * set for cancel(). */
        void (*ask)(void *impl, const struct caller *caller, const char *action, const struct auth_detail *details,
                    void (*answer)(void *userdata, enum auth_result result), void *userdata, void **ret_handle);
        void (*cancel)(void *impl, void *handle);
};

/* ---- looking into a machine, done by the helper process ---- */
struct address {
        int32_t ifindex;
        int family; /* AF_INET or AF_INET6 */
        uint8_t bytes[16];
};

struct inspect_result {
        /* 0; -EHOSTUNREACH: shares the host's network (no private networking); -ENOENT: no os-release; -ETIMEDOUT; ... */
        int error;
        const struct address *addresses;
        size_t n_addresses;
        char *const *os_release; /* "KEY=value" strings, NULL-terminated */
        int fd;                  /* the root directory, or -EBADF; borrowed: dup(2) it to keep it */
};

typedef void (*inspect_fn)(void *userdata, const struct inspect_result *result);

struct inspect_port {
        void *impl;
        /* m->class host looks at the host itself. The answer always comes later or now, exactly once; the machine may be gone
         * by then. */
        void (*addresses)(void *impl, const struct machine *m, inspect_fn answer, void *userdata);
        void (*os_release)(void *impl, const struct machine *m, inspect_fn answer, void *userdata);
        /* Both for the price of one: each answers once. */
        void (*addresses_and_os_release)(void *impl, const struct machine *m, inspect_fn addresses,
                                         inspect_fn os_release, void *userdata);
        /* The root directory, open for reading: what is below it belongs to the machine and is as hostile as that. */
        void (*open_root)(void *impl, const struct machine *m, inspect_fn answer, void *userdata);
};

/* ---- running something in a machine, done by muster-enter ---- */
struct opened {
        int error;        /* 0, or -errno */
        const char *text; /* a sentence about it, may name what is inside: hostile; NULL: none */
        int fd;           /* master of the terminal; borrowed: dup(2) it to keep it */
        const char *path; /* of the terminal, inside */
};

typedef void (*opened_fn)(void *userdata, const struct opened *result);

struct enter_port {
        void *impl;
        /* Starts s in m, soon: what becomes of it is reported to s->fds[SESSION_FD_STATUS]; all descriptors are borrowed. It goes on when we
         * end. -ENOBUFS, -EDQUOT: session_fits(). */
        int (*start)(void *impl, const struct machine *m, const struct session *s);
        /* The same for one on a terminal that nobody waits for the end of: its master is the answer, exactly once, when the program
         * runs. The session ends with the last copy of it. */
        void (*open)(void *impl, const struct machine *m, const struct session *s, opened_fn answer, void *userdata);
};

/* ---- what machines have said on their consoles ---- */
struct console_log_port {
        void *impl;
        /* Sends the files of the log of a (valid) name on the socket, the youngest first, each with a byte that says how many are
         * younger. There may be none. -ENOTSOCK: that is no socket for it; -EPIPE: nobody listens. */
        int (*send)(void *impl, const char *name, int socket);
};

/* ---- copying into and out of a machine, and mounting in it, done by muster-transfer ---- */
struct transferred {
        int error;        /* 0, or -errno: nothing of it is there */
        const char *text; /* a sentence about it, may name what is inside: hostile; NULL: none */
};

typedef void (*transferred_fn)(void *userdata, const struct transferred *result);

struct transfer_port {
        void *impl;
        /* Begins t in m, descriptors borrowed. done() runs exactly once, later, when it has ended; where t->fds[TRANSFER_FD_STATUS]
         * is given, it is reported there how, and it goes on when we end. *ret_handle: for cancel(), until done(). */
        int (*start)(void *impl, const struct machine *m, const struct transfer *t, transferred_fn done, void *userdata,
                     void **ret_handle);
        /* It is to end, and nothing of it to stay; done() is still to come. */
        void (*cancel)(void *impl, void *handle);
};

/* ---- images ---- */
struct image_port {
        void *impl;
        /* 1: there is an image of that (valid) name. 0: there is none. */
        int (*exists)(void *impl, const char *name);
};

/* ---- the journal of events ---- */
struct event_port {
        void *impl;
        /* Puts e where it outlives us, before the caller hears that it happened. Should be cheap: it is done for each event. */
        int (*save)(void *impl, const struct event *e);
        /* Calls found() with each event that was kept, in order of their numbers; e is one block of memory, consumed. *ret_last: all
         * numbers up to it may have been used. What is no event is set aside and logged once. -ENOMEM, -EIO: what was used is not
         * known, so that nothing may be saved. */
        int (*load)(void *impl, void (*found)(void *userdata, struct event *e), void *userdata, uint64_t *ret_last);
        struct id128 boot_id;         /* of the host now */
        size_t max_events, max_bytes; /* how many are to be kept in memory */
};

/* ---- telling the world ---- */
struct notify_port {
        void *impl;
        void (*machine_new)(void *impl, const struct machine *m);
        void (*machine_removed)(void *impl, const struct machine *m);
        /* May be NULL. There is a new event in service_events(). */
        void (*event)(void *impl, const struct event *e);
};

struct clock_port {
        void *impl;
        uint64_t (*realtime_usec)(void *impl);
        uint64_t (*monotonic_usec)(void *impl);
};

struct ports {
        struct process_port process;
        struct supervisor_port supervisor;
        struct store_port store;
        struct auth_port auth;
        struct inspect_port inspect;
        struct enter_port enter;
        struct console_log_port console_logs;
        struct transfer_port transfer;
        struct image_port images;
        struct event_port events;
        struct clock_port clock;
};
