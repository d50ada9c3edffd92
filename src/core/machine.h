/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/machine.h: the record of one machine: plain data, no rules. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"
#include "base/id128.h"
#include "base/pidref.h"
#include "base/table.h"

#define VSOCK_CID_UNSET UINT32_MAX
#define HOST_MACHINE_NAME ".host"

enum machine_class { MACHINE_CONTAINER, MACHINE_VM, MACHINE_HOST, _MACHINE_CLASS_MAX };
DECLARE_TABLE(machine_class, enum machine_class);

enum machine_state { MACHINE_OPENING, MACHINE_RUNNING, MACHINE_CLOSING, MACHINE_GONE, _MACHINE_STATE_MAX };
DECLARE_TABLE(machine_state, enum machine_state);

/* Strings are owned by the record and NULL when unset. The pidfds inside leader and supervisor are owned too, but the
 * pure half cannot close them: machine_free() calls close_pidref, set once by whoever opens them. */
struct machine {
        char *name;
        struct id128 id; /* all zero: unset */
        enum machine_class class;
        enum machine_state state;
        char *service;
        char *root_directory;
        struct pidref leader;
        struct pidref supervisor; /* never holds an fd: it is re-opened and compared when needed */
        uid_t uid;                /* owner: effective uid of whoever registered it */
        uint64_t realtime_usec;
        uint64_t monotonic_usec;
        int32_t *ifindices;
        size_t n_ifindices;
        uint32_t vsock_cid;
        char *ssh_address;
        char *ssh_private_key_path;
        char *control_address;

        char *unit;     /* unit name derived from the cgroup, NULL: none */
        char *subgroup; /* path below the unit, no outer slashes; NULL: the whole unit */
        char *cgroup;   /* path of the machine's cgroup in the tracking hierarchy, as in /proc/PID/cgroup; NULL: none */
        int kill_signal;    /* what asks its processes to end when it is terminated; 0: SIGTERM */
        bool scope_created; /* the cgroup was made by us and goes with the machine */

        void *entry; /* private to core/registry.c: where it stands there */
};

/* Takes a copy of name. -ENOMEM. */
int machine_new(const char *name, struct machine **ret);
void machine_free(struct machine *m);
DEFINE_AUTO(struct machine *, machine_free)

/* Called by machine_free() for a held pidfd (set in main; NULL in pure tests). */
void machine_set_fd_closer(void (*close_fd)(int fd));
/* Closes an fd by it; nothing without one, or for a negative fd. */
void machine_close_fd(int fd);

bool machine_owns_unit(const struct machine *m); /* has a unit and no subgroup */
/* Whoever is in the unit is of the machine: it owns it, or it is the scope NAME.scope, where a runner put its payload into a group
 * below (`payload`) and maybe itself into another (`supervisor`). */
bool machine_is_whole_unit(const struct machine *m);
