/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/varlink-socket.h: a listening socket in the file system: made, found taken, handed over by a service manager. */
#pragma once

#include <stdbool.h>

struct varlink_socket {
        int fd;
        char *path;   /* NULL: it was handed over, and is somebody else's */
        char **links; /* to it, made by us */
};

#define VARLINK_SOCKET_EMPTY ((struct varlink_socket){ .fd = -EBADF })

/* Listens on run/place, for everybody. alone: two daemons that start at the same moment may both want it, and one gets it.
 * -EADDRINUSE: another daemon answers there. -errno. What was made is put away by varlink_socket_done() in any case. */
int varlink_socket_bind(struct varlink_socket *s, const char *run, const char *place, bool alone);
/* 1: a socket of that name was passed (sd_listen_fds_with_names(3)). 0: none. -errno. */
int varlink_socket_adopt(struct varlink_socket *s, const char *name);
/* Another place below run that leads to a socket that we made. Best effort. */
void varlink_socket_link(struct varlink_socket *s, const char *run, const char *place);
void varlink_socket_done(struct varlink_socket *s);
