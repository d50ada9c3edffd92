/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/spawn-enter.h: starts muster-enter with what it is to do (codec/enter-protocol.h), and does not wait for it. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct spawn_enter {
        const char *path;    /* of the program */
        const void *request; /* its bytes */
        size_t request_size;
        int leader;   /* pidfd of the machine's leader */
        int status;   /* where it reports to */
        int starting; /* closed by it when the program runs, or will not; negative: nobody wants to know */
        int stdio[3]; /* negative: /dev/null */
};

/* Descriptors are borrowed. The process is a session of its own, with default signals and no environment, and our child. -errno. */
int spawn_enter(const struct spawn_enter *s, pid_t *ret);

/* One that waits on a SOCK_SEQPACKET socket for what it is to do, and ends when nobody has the other end any more. */
int spawn_enter_spare(const char *path, int socket, pid_t *ret);
/* Tells it, at the other end. -EPIPE: it is gone. */
int spawn_enter_order(int socket, const struct spawn_enter *s);
