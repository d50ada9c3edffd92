/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/channel.h: what the runner and its child say to each other while the container is made: one SOCK_SEQPACKET pair,
 * fixed messages, named milestones. End of file is a death, never an agreement; but once the child was told to go it means that
 * the payload runs, for exec(2) closes the channel. */
#pragma once

#include <stdint.h>

enum channel_kind {
        CHANNEL_IDS_MAPPED, /* to the child: the user namespace has its ids */
        CHANNEL_TERMINAL,   /* to the runner: the master of the payload's terminal, as a descriptor */
        CHANNEL_GO,         /* to the child, which waits for it with nothing left to do but the filter and exec(2) */
        CHANNEL_ERROR,      /* to the runner: a step failed */
        CHANNEL_MOUNT,      /* a mount, as a descriptor (overlay.c) */
        CHANNEL_NOTE,       /* to the runner: a step failed that may */
        CHANNEL_JOINED,     /* to the runner, first of all: the child has moved itself into its control groups of v1 */
};

struct channel_message {
        uint32_t kind;
        int32_t error; /* negative errno */
        uint32_t step; /* index in the plan */
};

int channel_pair(int ret[static 2]);
/* fd: sent along when >= 0. Negative errno. */
int channel_send(int channel, enum channel_kind kind, uint32_t step, int error, int fd);
/* *ret_fd: the descriptor that came along, or -EBADF; close-on-exec. -ECONNRESET: the other side is gone. -EBADMSG. */
int channel_receive(int channel, struct channel_message *ret, int *ret_fd);
