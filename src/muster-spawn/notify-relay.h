/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/notify-relay.h: what the payload tells us, and what we tell the service manager that started us:
 * sd_notify(3) in both directions. Nothing is believed but what PID 1 of the payload says. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "sys/notify-send.h"

struct notify_relay {
        int socket; /* borrowed; -EBADF: the payload has none, or it broke */
        pid_t pid;  /* who is listened to */
        struct notify_target manager;
        bool stores; /* the manager keeps descriptors: $FDSTORE */
};

/* Finds $NOTIFY_SOCKET; one that cannot be used is reported, and nobody is told then. */
void notify_relay_start(struct notify_relay *n, int socket, pid_t pid);
void notify_relay_stop(struct notify_relay *n);

void notify_relay_started(struct notify_relay *n, bool ready);
void notify_relay_stopping(struct notify_relay *n);
void notify_relay_goodbye(struct notify_relay *n, bool restarting, int exit_status);

/* Takes one datagram from the socket and passes on what it says. False: there was none. */
bool notify_relay_read(struct notify_relay *n);
