/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/cgroup-signal.h: reaching every process in and below a control group. */
#pragma once

#include <stdbool.h>

/* SIGKILL to everything in and below, at once and race-free: v2 of Linux 5.14. -ENOENT: this kernel cannot. */
int cgroup_kill_v2(int fd);
/* Signals each process in and below. Each is pinned by a pidfd and seen in the cgroup again before it gets the signal.
 * The number of processes, or -errno. */
int cgroup_signal(int fd, int sig);
/* v1 freezer: asks the group to stop (true) or go on (false). */
int cgroup_freeze_v1(int fd, bool freeze);
