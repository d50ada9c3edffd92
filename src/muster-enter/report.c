/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "muster-enter/enter.h"

int report_send(int socket, enum enter_report_kind kind, int32_t value, const char *text, int fd) {
        struct enter_report report = { .kind = kind, .value = value };
        uint8_t packet[ENTER_REPORT_MAX];
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec part = { .iov_base = packet };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        if (text)
                strncat(report.text, text, ENTER_REPORT_TEXT_MAX);
        part.iov_len = enter_report_encode(&report, packet);
        if (fd >= 0) {
                control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
        }
        /* A client that does not listen has room for our few packets, or has filled it up itself: it is not waited for. */
        return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

void report_failed(int socket, int exit_status, const char *format, ...) {
        char text[ENTER_REPORT_TEXT_MAX + 1];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void) report_send(socket, ENTER_REPORT_FAILED, exit_status, text, -EBADF);
}
