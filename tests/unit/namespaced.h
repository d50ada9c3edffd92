/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children that are PID 1 of a PID namespace, in a user namespace of their own, so that no root is needed: they may call
 * reboot(2), which ends only them. */
#pragma once

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* As fork(2), in new namespaces (CLONE_NEW*). *ret_pidfd may be NULL. Skips the test where the system does not allow that. */
static inline pid_t fork_into(uint64_t namespaces, int *ret_pidfd) {
        int pidfd = -EBADF;
        struct clone_args args = {
                .flags = namespaces | CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &pidfd,
                .exit_signal = SIGCHLD,
        };
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));

        if (pid < 0) {
                print_message("skipped: no namespaces of our own: %s\n", strerror(errno));
                skip();
        }
        if (pid > 0) {
                if (ret_pidfd)
                        *ret_pidfd = pidfd;
                else
                        close(pidfd);
        }
        return pid;
}
