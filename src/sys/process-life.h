/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/process-life.h: where a process stands between its birth and its end (proc_pid_stat(5)). */
#pragma once

#include <stdbool.h>

/* proc_fd: of its directory in /proc. */

/* The kernel kills what is in a pid namespace while its first process is ending, which a pidfd tells only afterwards. Also true when
 * it cannot be told. */
bool process_is_ending(int proc_fd);

/* Waits until it is the program that it is to be. A runner tells of its child before that has given up its rights, and has left the
 * root of the host: until it becomes the first program inside it has executed nothing, and is called as the runner is; an init that is
 * part of the runner itself has another name. Where another child may still be in the runner's memory when that one is a program, the
 * runner calls itself PROCESS_STARTING until it is not. -EBUSY: it took longer than ten seconds. */
#define PROCESS_STARTING "(muster-start)"
int process_await_start(int proc_fd);
