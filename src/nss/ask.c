/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nss/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int64_t ask_now_msec(void) {
        struct timespec t;

        return clock_gettime(CLOCK_MONOTONIC, &t) < 0 ? 0 : (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t left_msec(int64_t deadline) {
        int64_t left = deadline - ask_now_msec();

        return left < 0 ? 0 : left > ASK_TIMEOUT_MSEC ? ASK_TIMEOUT_MSEC : left;
}

/* The registry must not wait for itself. It owns the socket that it answers on; where systemd does (and started it for the
 * question that is being looked up), the environment tells. */
static bool is_registry(int fd) {
        static const char *const units[] = { "systemd-machined.service", "musterd.service" };
        const char *unit = getenv("SYSTEMD_ACTIVATION_UNIT");
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid())
                return true;
        for (size_t i = 0; unit && i < sizeof(units) / sizeof(units[0]); i++)
                if (strcmp(unit, units[i]) == 0)
                        return true;
        return false;
}

/* A full backlog makes connect(2) wait: SO_SNDTIMEO bounds that. */
static int do_connect(int fd, const char *path, int64_t deadline) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int64_t left = left_msec(deadline);
        struct timeval limit = { .tv_sec = left / 1000, .tv_usec = left % 1000 * 1000 };

        if (left == 0) /* which would mean: no limit */
                return -ETIMEDOUT;
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return -errno;
        while (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                switch (errno) {
                case EINTR:
                        if (left_msec(deadline) == 0)
                                return -ETIMEDOUT;
                        break;
                case ENOTDIR:
                case ECONNREFUSED: /* the socket of a registry that died */
                        return -ENOENT;
                case EAGAIN:
                        return -ETIMEDOUT;
                default:
                        return -errno;
                }
        return 0;
}

static int send_question(int fd, const char *question) {
        size_t size = strlen(question) + 1; /* a NUL ends a message */

        while (size > 0) {
                ssize_t n = send(fd, question, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : errno == EPIPE ? -ECONNRESET : -errno;
                question += n;
                size -= (size_t) n;
        }
        return 0;
}

static int wait_readable(int fd, int64_t deadline) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r;

        do
                r = poll(&p, 1, (int) left_msec(deadline));
        while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static int receive_answer(int fd, int64_t deadline, struct answer *ret) {
        char chunk[2048];

        for (;;) {
                ssize_t n;
                int r = wait_readable(fd, deadline);

                if (r < 0)
                        return r;
                n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
                if (n < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -ECONNRESET;
                r = answer_feed(ret, chunk, (size_t) n);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
}

int ask(const char *path, const char *question, int64_t deadline, struct answer *ret) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

        answer_init(ret);
        if (fd < 0)
                return -errno;
        r = do_connect(fd, path, deadline);
        if (r >= 0 && is_registry(fd))
                r = -EDEADLK;
        if (r >= 0)
                r = send_question(fd, question);
        if (r >= 0)
                r = receive_answer(fd, deadline, ret);
        close(fd);
        return r;
}

void text_put(struct text *t, const char *s) {
        size_t n = strlen(s);

        if (t->size >= sizeof(t->data) || n >= sizeof(t->data) - t->size) {
                t->size = sizeof(t->data); /* nothing fits behind that, either */
                t->data[0] = '\0';
                return;
        }
        memcpy(t->data + t->size, s, n + 1);
        t->size += (unsigned) n;
}

void text_put_number(struct text *t, uint32_t n) {
        char digits[11], *p = digits + sizeof(digits) - 1;

        *p = '\0';
        do
                *--p = (char) ('0' + n % 10);
        while (n /= 10);
        text_put(t, p);
}
