/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children that are PID 1 of a PID namespace, in a user namespace of their own, so that no root is needed: they may
 * call reboot(2), which ends only them. */
#pragma once

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* As fork(2), in new namespaces (CLONE_NEW*); ret_pidfd may be NULL. -1 and errno. */
static inline pid_t fork_into(uint64_t namespaces, int *ret_pidfd) {
        int pidfd = -EBADF;
        struct clone_args args = {
                .flags = namespaces | CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &pidfd,
                .exit_signal = SIGCHLD,
        };
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));

        if (pid > 0 && ret_pidfd)
                *ret_pidfd = pidfd;
        else if (pid > 0)
                close(pidfd);
        return pid;
}

/* Waits until that process has read its signals: one that is sent again before that comes once. */
static inline void wait_heard(pid_t pid) {
        char path[64], line[128];
        bool heard = false;

        snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
        for (unsigned i = 0; i < 4000 && !heard; i++) {
                FILE *status = fopen(path, "re");

                assert_non_null(status);
                while (!heard && fgets(line, sizeof(line), status))
                        heard = strncmp(line, "ShdPnd:", 7) == 0 && strtoull(line + 7, NULL, 16) == 0;
                fclose(status);
                usleep(5000);
        }
        if (!heard)
                fail_msg("the signal is not read");
}

/* False where the system does not allow them; then the plan of this test says so (TAP). */
static inline bool have_namespaces(uint64_t namespaces) {
        pid_t pid = fork_into(namespaces, NULL);

        if (pid == 0)
                _exit(0);
        if (pid < 0) {
                printf("1..0 # SKIP no namespaces of our own: %s\n", strerror(errno));
                return false;
        }
        waitpid(pid, NULL, 0);
        return true;
}
