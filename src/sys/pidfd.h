/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/pidfd.h: opens, compares and signals processes (pidfd_open(2), pidfd_send_signal(2), pidfs of Linux 6.9). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/pidref.h"

/* Opens pid: fd (close-on-exec), id (pidfs inode, 0 before 6.9), and start time only when there is no id.
 * -ESRCH: no such process, or a thread that is no process. */
int pidref_open(pid_t pid, struct pidref *ret);
/* From a pidfd of somebody else: dup'ed, its pid and identity read from the kernel. -EINVAL: no pidfd, or that of a
 * thread. -ESRCH: dead, or of another pid namespace. */
int pidref_from_fd(int fd, struct pidref *ret);
/* The process at the other end of a UNIX socket, as it was when it connected: SO_PEERPIDFD (Linux 6.5), before that its
 * number re-opened. -ESRCH: it is gone (newer kernels hand out the pidfd of a reaped process: pidref_is_alive() tells). */
int pidref_from_peer(int socket_fd, struct pidref *ret);
/* Opens p->pid again and compares its identity with p->id or p->start; on success p->fd is held. A pid without any
 * recorded identity is refused: -ESRCH, as for dead and recycled ones. */
int pidref_reopen(struct pidref *p);
/* Closes the fd, keeps the numbers. NULL is fine. */
void pidref_done(struct pidref *p);
/* Needs p->fd: true until the process has ended (a zombie has). */
bool pidref_is_alive(const struct pidref *p);
/* By p->fd, or by re-opening for the time of the call. -ESRCH. */
int pidref_signal(const struct pidref *p, int sig);
/* The pid a pidfd stands for, from /proc/self/fdinfo. -ESRCH: reaped. -EINVAL: no pidfd, or that of a
 * thread. */
int pidfd_to_pid(int fd, pid_t *ret);
