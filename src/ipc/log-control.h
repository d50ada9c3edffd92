/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/log-control.h: what LogControl1 and io.systemd.service may read and set; implemented by the program. */
#pragma once

struct log_control {
        const char *(*get_level)(void);   /* "emerg" ... "debug" */
        int (*set_level)(const char *s);  /* -EINVAL */
        const char *(*get_target)(void);  /* "console", "journal", "syslog", "auto", "null" ... */
        int (*set_target)(const char *s); /* -EINVAL */
        const char *identifier;
};
