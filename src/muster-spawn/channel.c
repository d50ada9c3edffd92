/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both ends use this file: no allocation, no log. */
#include "muster-spawn/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/bare-call.h"

union control {
        struct cmsghdr header;
        char buffer[CMSG_SPACE(sizeof(int))];
};

int channel_pair(int ret[static 2]) {
        return BARE(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret);
}

int channel_send(int channel, enum channel_kind kind, uint32_t step, int error, int fd) {
        struct channel_message m = { .kind = kind, .error = error, .step = step };
        struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
        union control control = { 0 };
        struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (fd >= 0) {
                struct cmsghdr *c;

                header.msg_control = &control;
                header.msg_controllen = sizeof(control);
                c = CMSG_FIRSTHDR(&header);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(c), &fd, sizeof(int));
        }
        int r = BARE(sendmsg, channel, &header, MSG_NOSIGNAL);

        return r < 0 ? r : 0;
}

int channel_receive(int channel, struct channel_message *ret, int *ret_fd) {
        struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
        union control control = { 0 };
        struct msghdr header = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *c;
        int n;

        /* The end of who has left a message of ours unread comes before what it said itself, once. */
        for (bool reset = false;;) {
                n = BARE(recvmsg, channel, &header, MSG_CMSG_CLOEXEC);
                if (n != -EINTR && (n != -ECONNRESET || reset))
                        break;
                reset |= n == -ECONNRESET;
        }
        if (n < 0)
                return n;
        if (n == 0)
                return -ECONNRESET;
        *ret_fd = -EBADF;
        c = CMSG_FIRSTHDR(&header);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
        return n == (int) sizeof(*ret) ? 0 : -EBADMSG;
}
