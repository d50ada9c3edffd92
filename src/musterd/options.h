/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* musterd/options.h: the command line of musterd. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum backend { BACKEND_AUTO, BACKEND_SYSTEMD, BACKEND_CGROUP, _BACKEND_MAX };

struct options {
        enum backend backend;
        bool scope_manager;         /* own org.freedesktop.systemd1, too */
        bool bus;                   /* use a D-Bus system bus when there is one */
        const char *run;            /* run-time directory */
        const char *helper;         /* path of muster-helper */
        uint64_t stop_timeout_usec; /* how long a machine may take to end when asked */
        uint32_t max_events;        /* of the journal, kept in memory */
        int ready_fd;               /* gets one newline when we are up; -EBADF: none */
};

/* 0: go on. 1: --help or --version was answered. -EINVAL: said what was wrong on standard error. */
int options_parse(int argc, char **argv, struct options *ret);
