/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager learns who speaks from the credentials that the kernel adds; they need not be sent. */
#include "sys/notify-send.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int notify_target_open(const char *address, struct notify_target *ret) {
        struct notify_target t = { .fd = -EBADF, .address.sun_family = AF_UNIX };
        size_t size;

        if (!address || !*address) {
                *ret = t;
                return 0;
        }
        if (*address != '/' && *address != '@')
                return -EAFNOSUPPORT;
        size = strlen(address);
        if (size >= sizeof(t.address.sun_path))
                return -ENAMETOOLONG;
        memcpy(t.address.sun_path, address, size);
        t.address_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + size);
        if (*address == '@')
                t.address.sun_path[0] = '\0';
        else
                t.address_size++; /* a path goes with its NUL */
        t.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (t.fd < 0)
                return -errno;
        *ret = t;
        return 0;
}

void notify_target_close(struct notify_target *t) {
        if (t->fd >= 0)
                close(t->fd);
        t->fd = -EBADF;
}

int notify_send(const struct notify_target *t, const char *text, size_t size, bool wait) {
        int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
        ssize_t n;

        if (t->fd < 0)
                return 0;
        do
                n = sendto(t->fd, text, size, flags, (const struct sockaddr *) &t->address, t->address_size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int notify_send_fds(const struct notify_target *t, const char *text, size_t size, const int *fds, size_t n) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(NOTIFY_FDS_MAX * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { .iov_base = (char *) text, .iov_len = size };
        struct msghdr m = { .msg_name = (struct sockaddr_un *) &t->address,
                            .msg_namelen = t->address_size,
                            .msg_iov = &iov,
                            .msg_iovlen = 1 };

        if (t->fd < 0)
                return 0;
        if (n > NOTIFY_FDS_MAX)
                return -E2BIG;
        if (n > 0) {
                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(n * sizeof(int));
                control.align.cmsg_level = SOL_SOCKET;
                control.align.cmsg_type = SCM_RIGHTS;
                control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
        }
        return sendmsg(t->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
