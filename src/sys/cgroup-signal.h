/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/cgroup-signal.h: reaching every process in and below a control group. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* SIGKILL to everything in and below, at once and race-free: v2 of Linux 5.14. -ENOENT: this kernel cannot. */
int cgroup_kill_v2(int fd);
/* Are there more than CGROUP_GROUPS_MAX groups below? Then neither of the two next is for somebody for whom others wait. */
bool cgroup_is_large(int fd);
/* Signals each process in and below. Each is pinned by a pidfd and seen in the cgroup again before it gets the signal.
 * The number of processes, or -errno. */
int cgroup_signal(int fd, int sig);
/* v1 freezer: asks the group to stop (true) or go on (false). */
int cgroup_freeze_v1(int fd, bool freeze);

/* Calls found(path, pid) for each process in fd, whose path is given, and below it, until it returns non-zero, which is
 * returned. -errno. */
int cgroup_each_process(int fd, const char *path, int (*found)(void *userdata, const char *path, pid_t pid),
                        void *userdata);
