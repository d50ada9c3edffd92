/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "muster-enter/enter.h"
#include "sys/packet.h"

int report_send(int socket, enum enter_report_kind kind, int32_t value, const char *text, int fd) {
        struct enter_report report = { .kind = kind, .value = value };
        uint8_t packet[ENTER_REPORT_MAX];

        if (text)
                memcpy(report.text, text, strnlen(text, ENTER_REPORT_TEXT_MAX));
        /* A client that does not listen has room for our few packets, or has filled it up itself: it is not waited for. */
        return packet_send(socket, packet, enter_report_encode(&report, packet), fd);
}

void report_failed(int socket, int exit_status, const char *format, ...) {
        char text[ENTER_REPORT_TEXT_MAX + 1];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void) report_send(socket, ENTER_REPORT_FAILED, exit_status, text, -EBADF);
}

void report_done(int socket) {
        char byte;

        (void) shutdown(socket, SHUT_RD); /* nothing more can come */
        while (recv(socket, &byte, sizeof(byte), MSG_DONTWAIT) > 0)
                ;
}
