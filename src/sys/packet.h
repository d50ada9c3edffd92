/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/packet.h: packets of a SOCK_SEQPACKET socket that may bring a descriptor along. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* fd: -EBADF for none. It is not waited for room: -EAGAIN. -EPIPE: nobody listens. */
int packet_send(int socket, const void *data, size_t size, int fd);
/* The next one, without waiting: its size, 0 when there will be none, -EAGAIN, or another negative errno; what does not fit is lost.
 * *ret_fd is the caller's to close, -EBADF: none came. */
ssize_t packet_receive(int socket, void *data, size_t size, int *ret_fd);
