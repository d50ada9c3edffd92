/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* There is room for one descriptor; the kernel closes those that are sent beyond. */
#include "sys/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
};

int packet_send(int socket, const void *data, size_t size, int fd) {
        struct iovec part = { .iov_base = (void *) data, .iov_len = size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        union control control = { .bytes = { 0 } };

        if (fd >= 0) {
                control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
        }
        return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

ssize_t packet_receive(int socket, void *data, size_t size, int *ret_fd) {
        struct iovec part = { .iov_base = data, .iov_len = size };
        union control control;
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
        };
        ssize_t n;

        *ret_fd = -EBADF;
        do /* -ECONNRESET: it has left without reading what we said. That comes before what it said itself, and once. */
                n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        while (n < 0 && (errno == EINTR || errno == ECONNRESET));
        if (n < 0)
                return -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
        return n;
}
