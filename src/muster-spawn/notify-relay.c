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

void notify_relay_start(struct notify_relay *n, int socket, pid_t pid) {
        const char *address = getenv("NOTIFY_SOCKET");
        int r;

        *n = (struct notify_relay){ .socket = socket, .pid = pid, .manager = NOTIFY_TARGET_NONE };
        r = notify_target_open(address, &n->manager);
        if (r < 0)
                log_warning_errno(
                        r, "Cannot use $NOTIFY_SOCKET, which must be an absolute path or an abstract name with '@': "
                           "the service manager will not hear of the machine");
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

/* Whether the datagram came from PID 1 of the payload, as the kernel tells. */
static bool is_from_payload(const struct notify_relay *n, struct msghdr *m) {
        const struct cmsghdr *c = CMSG_FIRSTHDR(m);
        struct ucred sender;

        if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
            c->cmsg_len != CMSG_LEN(sizeof(sender)))
                return false;
        memcpy(&sender, CMSG_DATA(c), sizeof(sender));
        return sender.pid == n->pid;
}

/* The size of the datagram, 0 for one to be ignored, -EAGAIN for none. The room for control data is what credentials
 * need: so the kernel itself drops descriptors that come along, and says MSG_CTRUNC, which is as it should be. */
static ssize_t receive(const struct notify_relay *n, char *text, size_t room) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec iov = { .iov_base = text, .iov_len = room };
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        ssize_t size;

        size = recvmsg(n->socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0)
                return -errno;
        return (m.msg_flags & MSG_TRUNC) || !is_from_payload(n, &m) ? 0 : size;
}

static void relay(struct notify_relay *n, const struct notify_text *said) {
        if (said->has_status)
                tell(n, false, "STATUS=Container running%s%s", *said->status ? ": " : ".", said->status);
        if (said->ready)
                tell(n, true, "READY=1");
}

bool notify_relay_read(struct notify_relay *n) {
        char text[NOTIFY_TEXT_MAX];
        struct notify_text said;
        ssize_t size;

        if (n->socket < 0)
                return false;
        size = receive(n, text, sizeof(text));
        if (size == -EAGAIN || size == -EINTR)
                return false;
        if (size < 0) {
                log_warning_errno((int) size, "Cannot hear what the machine says on its notification socket, "
                                              "not listening any more");
                n->socket = -EBADF;
                return false;
        }
        if (size > 0 && notify_text_decode(text, (size_t) size, &said) == 0)
                relay(n, &said);
        return true;
}
