/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/notify-send.h: datagrams to a service manager as sd_notify(3) sends them, without libsystemd. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify_target {
        int fd; /* -EBADF: nobody wants to know */
        struct sockaddr_un address;
        socklen_t address_size;
};

#define NOTIFY_FDS_MAX 253 /* SCM_MAX_FD of unix(7) */
#define NOTIFY_TARGET_NONE ((struct notify_target){ .fd = -EBADF })

/* address: what $NOTIFY_SOCKET says, an absolute path or '@' and an abstract name. NULL and "" give NOTIFY_TARGET_NONE.
 * -EAFNOSUPPORT: something else ("vsock:"). -ENAMETOOLONG. */
int notify_target_open(const char *address, struct notify_target *ret);
void notify_target_close(struct notify_target *t);
/* One datagram. wait: until the manager has room for it; else -EAGAIN. 0 when there is nobody to tell. */
int notify_send(const struct notify_target *t, const char *text, size_t size, bool wait);
/* The same with descriptors, n of them, at most NOTIFY_FDS_MAX, which stay open here. Does not wait. */
int notify_send_fds(const struct notify_target *t, const char *text, size_t size, const int *fds, size_t n);
