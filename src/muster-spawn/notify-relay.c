/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* READY and STOPPING wait until the manager has room for them, as sd_notify(3) does; a status that it has no room for
 * is lost, so that a payload that floods us does not make us deaf. */
#include "muster-spawn/notify-relay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "codec/notify-text.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define TELL_MAX (NOTIFY_TEXT_MAX + 64)

__attribute__((format(printf, 3, 4))) static void tell(struct notify_relay *n, bool wait, const char *format, ...) {
        char text[TELL_MAX];
        va_list ap;
        int size, r;

        if (n->manager.fd < 0)
                return;
        va_start(ap, format);
        size = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (size < 0 || (size_t) size >= sizeof(text))
                return;
        r = notify_send(&n->manager, text, (size_t) size, wait);
        if (r < 0 && r != -EAGAIN)
                log_debug_errno(r, "Cannot tell the service manager about the machine, ignoring");
}

/* Descriptors that nobody takes had better not be sent: then sendmsg(2) fails, and the payload knows. Since Linux 6.16; before that they
 * are dropped. */
static void refuse_descriptors(int socket) {
        static const int no;

        (void) setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

void notify_relay_start(struct notify_relay *n, int socket, pid_t pid) {
        const char *address = getenv("NOTIFY_SOCKET"), *store = getenv("FDSTORE");
        int r;

        *n = (struct notify_relay){ .socket = socket, .pid = pid, .manager = NOTIFY_TARGET_NONE };
        r = notify_target_open(address, &n->manager);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot use $NOTIFY_SOCKET, which must be an absolute path or an abstract name with '@': "
                           "the service manager will not hear of the machine");
        n->stores = n->manager.fd >= 0 && store && strtoul(store, NULL, 10) > 0;
        if (socket >= 0 && !n->stores)
                refuse_descriptors(socket);
}

void notify_relay_stop(struct notify_relay *n) {
        notify_target_close(&n->manager);
}

void notify_relay_started(struct notify_relay *n, bool ready) {
        tell(n, true, "%sSTATUS=Container started.\nX_NSPAWN_LEADER_PID=%d", ready ? "READY=1\n" : "", (int) n->pid);
}

void notify_relay_stopping(struct notify_relay *n) {
        tell(n, true, "STOPPING=1");
}

void notify_relay_goodbye(struct notify_relay *n, bool restarting, int exit_status) {
        tell(n, true, "STOPPING=1\nSTATUS=%s\nEXIT_STATUS=%d", restarting ? "Restarting..." : "Terminating...",
             exit_status);
}

/* What came with a datagram: who sent it, as the kernel tells, and descriptors, which are closed whatever becomes of it. */
struct ancillary {
        pid_t sender;
        int fds[NOTIFY_FDS_MAX];
        size_t n_fds;
};

static void take_ancillary(struct msghdr *m, struct ancillary *ret) {
        ret->sender = 0;
        ret->n_fds = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                size_t size = c->cmsg_len - CMSG_LEN(0);
                struct ucred sender;

                if (c->cmsg_level != SOL_SOCKET)
                        continue;
                if (c->cmsg_type == SCM_CREDENTIALS && size == sizeof(sender)) {
                        memcpy(&sender, CMSG_DATA(c), sizeof(sender));
                        ret->sender = sender.pid;
                } else if (c->cmsg_type == SCM_RIGHTS && size <= sizeof(ret->fds)) {
                        memcpy(ret->fds, CMSG_DATA(c), size);
                        ret->n_fds = size / sizeof(int);
                }
        }
}

static void close_descriptors(struct ancillary *a) {
        for (size_t i = 0; i < a->n_fds; i++)
                close(a->fds[i]);
        a->n_fds = 0;
}

/* The size of the datagram, 0 for one to be ignored, -EAGAIN for none. Where nobody keeps descriptors, the room for control data is what
 * credentials need: so the kernel itself drops those that come along, and says MSG_CTRUNC, which is as it should be. */
static ssize_t receive(const struct notify_relay *n, char *text, size_t room, struct ancillary *ret) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(NOTIFY_FDS_MAX * sizeof(int))];
        } control;
        struct iovec iov = { .iov_base = text, .iov_len = room };
        struct msghdr m = { .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = n->stores ? sizeof(control) : CMSG_SPACE(sizeof(struct ucred)) };
        ssize_t size;

        size = recvmsg(n->socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0)
                return -errno;
        take_ancillary(&m, ret);
        if (!(m.msg_flags & MSG_TRUNC) && ret->sender == n->pid)
                return size;
        close_descriptors(ret);
        return 0;
}

/* Under a name by which the manager can tell them from ours; it is not to watch what it cannot read. */
static void relay_descriptors(struct notify_relay *n, const struct notify_text *said, const struct ancillary *a) {
        char text[NOTIFY_FD_NAME_MAX + 64];
        int size, r;

        if (!n->stores || (!said->remove && (!said->store || a->n_fds == 0)))
                return;
        size = snprintf(text, sizeof(text), "%s=1\nFDNAME=payload-%s%s", said->remove ? "FDSTOREREMOVE" : "FDSTORE",
                        said->fd_name, said->remove ? "" : "\nFDPOLL=0");
        r = notify_send_fds(&n->manager, text, (size_t) size, a->fds, said->remove ? 0 : a->n_fds);
        if (r < 0)
                log_debug_errno(r, "Cannot hand on what the machine wants to have kept, ignoring");
}

static void relay(struct notify_relay *n, const struct notify_text *said, const struct ancillary *a) {
        if (said->has_status)
                tell(n, false, "STATUS=Container running%s%s", *said->status ? ": " : ".", said->status);
        if (said->ready)
                tell(n, true, "READY=1");
        relay_descriptors(n, said, a);
}

bool notify_relay_read(struct notify_relay *n) {
        char text[NOTIFY_TEXT_MAX];
        struct notify_text said;
        struct ancillary a;
        ssize_t size;

        if (n->socket < 0)
                return false;
        size = receive(n, text, sizeof(text), &a);
        if (size == -EAGAIN || size == -EINTR)
                return false;
        if (size < 0) {
                log_warning_errno((int) size, "Cannot hear what the machine says on its notification socket, "
                                              "not listening any more");
                n->socket = -EBADF;
                return false;
        }
        if (size > 0 && notify_text_decode(text, (size_t) size, &said) == 0)
                relay(n, &said, &a);
        if (size > 0)
                close_descriptors(&a);
        return true;
}
