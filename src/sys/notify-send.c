/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager learns who speaks from the credentials that the kernel adds; so nothing but text is sent. */
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
