/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/init-signals.h: which signal asks an init to power off or to reboot. Pure. */
#pragma once

#include <stdbool.h>

struct init_signals {
        const char *init; /* for people: "systemd", "sysvinit", ... */
        int poweroff;
        int reboot;
        bool fifo;          /* better asked through its fifo: muster/init-request.h */
        const char *caveat; /* what must be true for a clean end; NULL: nothing special */
};

/* What is known of a machine's first process: exe is the target of /proc/PID/exe, arg0 the first argument, comm its name;
 * each may be NULL. An unknown program gets SIGTERM. The texts have static storage. */
struct init_signals init_signals_find(const char *exe, const char *arg0, const char *comm);
