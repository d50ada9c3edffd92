/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets are not connected: whoever listens may be started again in the meantime. */
#include "muster-spawn/log-send.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "base/auto.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"
#define SYSLOG_PRIORITY (3 << 3 | 6) /* daemon, info */
#define SYSLOG_PIECE_MAX 900         /* with what stands before it less than the 1024 bytes that all take */

static int send_to(int *fd, const char *path, struct iovec *parts, size_t n) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = n };

        if (*fd < 0)
                *fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (*fd < 0)
                return -errno;
        snprintf(to.sun_path, sizeof(to.sun_path), "%s", path); /* one of the two above */
        return sendmsg(*fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int log_send_journal(int *socket, const char *machine, const char *text, size_t size) {
        char head[256];
        int n = snprintf(head, sizeof(head), "PRIORITY=6\nSYSLOG_IDENTIFIER=%s\nMUSTER_MACHINE=%s\nMESSAGE=", machine,
                         machine);
        struct iovec parts[] = { { head, (size_t) n }, { (char *) text, size }, { (char *) "\n", 1 } };

        return send_to(socket, JOURNAL_SOCKET, parts, ELEMENTS(parts));
}

/* How much of it to send, so that no character is divided. */
static size_t piece(const char *text, size_t size) {
        size_t n = SYSLOG_PIECE_MAX;

        if (size <= n)
                return size;
        while (n > SYSLOG_PIECE_MAX - 4 && ((unsigned char) text[n] & 0xc0) == 0x80)
                n--;
        return n;
}

int log_send_syslog(int *socket, const char *machine, uint64_t usec, const char *text, size_t size) {
        static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        time_t seconds = (time_t) (usec / 1000000);
        struct tm tm = { 0 };
        char head[128];
        int n, r;

        (void) localtime_r(&seconds, &tm);
        n = snprintf(head, sizeof(head), "<%d>%s %2d %02d:%02d:%02d %s: ", SYSLOG_PRIORITY, months[tm.tm_mon % 12],
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, machine);
        do {
                size_t part = piece(text, size);
                struct iovec parts[] = { { head, (size_t) n }, { (char *) text, part } };

                r = send_to(socket, SYSLOG_SOCKET, parts, ELEMENTS(parts));
                text += part;
                size -= part;
        } while (r >= 0 && size > 0);
        return r;
}
