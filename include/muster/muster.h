/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster.h: the machines (containers, virtual machines) that are registered on this host.
 *
 * Link with -lmuster (pkg-config muster); libmuster(3) has examples. The library keeps no state: each call asks the registry
 * (musterd, or systemd-machined 258 and later) over Varlink, and what may be known without reads its files where none runs.
 * All functions may be called from several threads, each object from one at a time. Nothing is printed, no signal is raised, and
 * all descriptors are close-on-exec.
 *
 * Results: 0 or a positive number as described, else a negative errno. Everywhere:
 *   -EINVAL      that is no name of a machine, or another argument makes no sense
 *   -ENOENT      there is no such machine, user or group
 *   -EHOSTDOWN   no registry runs
 *   -ETIMEDOUT   the registry does not answer (25 s)
 *   -ECONNRESET, -EBADMSG   it hung up, or talks nonsense
 *   -EACCES      the registry does not allow it
 *   -EOPNOTSUPP  not with this class of machine, or not by this registry
 *   -ENOMEM
 * Objects that a function returns are freed with the function named beside it, which takes NULL, too; strings that getters return
 * belong to their object, and are NULL where nothing is known. */
#ifndef MUSTER_H
#define MUSTER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

const char *muster_version(void); /* of the library, "0.1.0" */
void muster_free(void *text);     /* what a function returned in a char **; free(3) */

/* ---- machines ---- */

typedef struct muster_machine muster_machine;
typedef struct muster_machines muster_machines;

/* Also what is inside: addresses, os-release, first user number. Needs the right to look inside; what cannot be had is left
 * out. Costs the registry some work. */
#define MUSTER_METADATA 1u

/* All machines, sorted by name, without the host. flags: 0, MUSTER_METADATA (then -EACCES is possible). */
int muster_machines_list(unsigned flags, muster_machines **ret);
size_t muster_machines_count(const muster_machines *machines);
/* Borrowed; NULL: there are not that many. */
const muster_machine *muster_machines_get(const muster_machines *machines, size_t i);
void muster_machines_free(muster_machines *machines);

int muster_machine_get(const char *name, unsigned flags, muster_machine **ret);
void muster_machine_free(muster_machine *machine);

const char *muster_machine_name(const muster_machine *machine);
const char *muster_machine_class(const muster_machine *machine);   /* "container", "vm" */
const char *muster_machine_state(const muster_machine *machine);   /* "opening", "running", "closing" */
const char *muster_machine_service(const muster_machine *machine); /* who registered it */
const char *muster_machine_id(const muster_machine *machine);      /* 32 hexadecimal digits */
const char *muster_machine_root_directory(const muster_machine *machine);
const char *muster_machine_unit(const muster_machine *machine);
const char *muster_machine_ssh_address(const muster_machine *machine);
uid_t muster_machine_owner(const muster_machine *machine);           /* (uid_t) -1: not known */
uint64_t muster_machine_started_usec(const muster_machine *machine); /* since 1970; 0: not known */
uint32_t muster_machine_vsock_cid(const muster_machine *machine);    /* 4294967295: none */
pid_t muster_machine_leader(const muster_machine *machine);          /* its first process; 0: not known */
/* A pidfd of the leader, never of a process that has got its number since. -ESRCH: it has ended. */
int muster_machine_open_leader(const muster_machine *machine);

/* Interfaces of the host that it was registered with. */
size_t muster_machine_interfaces_count(const muster_machine *machine);
int muster_machine_interface(const muster_machine *machine, size_t i); /* an index; 0: there are not that many */

/* With MUSTER_METADATA: */
size_t muster_machine_addresses_count(const muster_machine *machine);
/* The size: 4 or 16. *ret_family: AF_INET or AF_INET6. *ret_interface: the index inside; may be NULL. -ERANGE: there are not that
 * many. Best ones first. */
int muster_machine_address(const muster_machine *machine, size_t i, int *ret_family, unsigned char ret_bytes[16],
                           int *ret_interface);
const char *muster_machine_os_release(const muster_machine *machine, const char *key); /* key: "ID", "PRETTY_NAME"... */
/* The host's number of its user 0. -ENODATA: not known, or its users are mapped in pieces. */
int muster_machine_uid_shift(const muster_machine *machine, uid_t *ret);

/* ---- whose is it? ---- */

/* The machine that a process is in; *ret_name: muster_free(). -ENODATA: in none. -ESRCH: there is no such process.
 * pid 0: the caller. */
int muster_pid_machine(pid_t pid, char **ret_name);
int muster_pidfd_machine(int pidfd, char **ret_name);
/* The process at the other end of a connected UNIX socket, as it was when it connected. */
int muster_peer_machine(int socket, char **ret_name);

/* The machine that a user (group) of the host belongs to, and the number there. -ENOENT: to none, as all below 65536.
 * *ret_name: muster_free(). */
int muster_uid_machine(uid_t uid, char **ret_name, uid_t *ret_inner);
int muster_gid_machine(gid_t gid, char **ret_name, gid_t *ret_inner);
/* The other way round. */
int muster_machine_uid(const char *name, uid_t inner, uid_t *ret);
int muster_machine_gid(const char *name, gid_t inner, gid_t *ret);

/* ---- changes ---- */

typedef struct muster_monitor muster_monitor;

/* Tells what happens to machines from now on. It outlives the registry: while none runs, its files are watched, and when one
 * comes back, it is read on from the last event. */
int muster_monitor_new(muster_monitor **ret);
void muster_monitor_free(muster_monitor *monitor);
/* Readable (POLLIN) when muster_monitor_next() is to be called until it returns 0. Borrowed; always the same. */
int muster_monitor_fd(const muster_monitor *monitor);
/* 1: something happened; the texts are good until the next call. *ret_kind: an event of org.muster.Machine1 ("registered",
 * "running", "removed"...; programs skip those that they do not know), or "changed" while no registry runs, or "missed": some
 * events cannot be had, look at all machines again; then *ret_machine is NULL. An event may be told twice when the registry is
 * restarted. 0: no more now. Waits for a tenth of a second at most. */
int muster_monitor_next(muster_monitor *monitor, const char **ret_kind, const char **ret_machine);

/* ---- doing something ---- */

/* Makes a running process, and what it started, known as a machine until it ends. machine_class: NULL is "container". service,
 * root_directory: NULL is "not told". interfaces: n indexes of the host, may be NULL. leader 0: the caller. -EEXIST: the name is
 * taken, or the process leads another machine. -ESRCH: there is no such process. */
int muster_register(const char *name, const char *machine_class, pid_t leader, const char *service,
                    const char *root_directory, const int *interfaces, size_t n_interfaces);
/* Forgets it; its processes go on. */
int muster_unregister(const char *name);
/* Ends it and all of its processes. Returns at once. */
int muster_terminate(const char *name);
/* whom: "leader", "supervisor", "all"; NULL is "all". */
int muster_kill(const char *name, const char *whom, int signal);

/* A socket that is connected to the system bus inside of a container, as its root; speak D-Bus on it, which begins with
 * "\0AUTH EXTERNAL 30\r\n". Needs no registry, but root. -ENOENT: also when there is no bus inside. -ECONNREFUSED: nobody
 * listens there. -EPERM. */
int muster_open_system_bus(const char *name);

#ifdef __cplusplus
}
#endif

#endif
