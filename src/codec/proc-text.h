/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/proc-text.h: the texts of /proc/PID/{stat,status,cgroup} (proc(5)) -> numbers and paths. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Parent (field 4) and start time in clock ticks (field 22). comm may hold blanks and parentheses. -EBADMSG. */
int proc_stat_decode(const char *text, size_t size, pid_t *ret_parent, uint64_t *ret_start);
/* The path of one hierarchy in /proc/PID/cgroup: controller "" is the v2 line "0::", else a v1 controller or "name=systemd".
 * A trailing " (deleted)" is cut. *ret is malloc'ed. -ENODATA: no such line. -EREMOTE: the path leaves our root ("/../").
 * -EBADMSG, -ENOMEM. */
int proc_cgroup_decode(const char *text, size_t size, const char *controller, char **ret);

/* How a process is confined: what /proc/PID/status says of it. */
struct proc_confinement {
        uint64_t bounding; /* capabilities, bit n is number n */
        bool no_new_privileges;
        bool filtered; /* by seccomp(2) */
};

/* -EBADMSG: one of the lines is not there. */
int proc_status_decode(const char *text, size_t size, struct proc_confinement *ret);
/* 1: the process has a handler for the signal, or keeps it blocked, to be taken later; 0: neither. -EBADMSG, -ENOMEM. */
int proc_status_hears(const char *text, size_t size, int sig);
/* The number of the system call that the process waits in, and its first argument, of /proc/PID/syscall. -EAGAIN: in none. -EBADMSG. */
int proc_syscall_decode(const char *text, size_t size, uint64_t *ret_number, uint64_t *ret_argument);
