/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection, one call at a time. Messages are JSON objects that end with a NUL byte (varlink.org); the socket is
 * blocking with poll(2) before each step, so that a daemon that hangs costs the timeout and no more. */
#include "client/varlink-client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "codec/json-text.h"

struct varlink_client {
        int fd;
        int timeout_msec; /* -1: none */
        struct buf in;
        size_t taken; /* bytes at the front of in that were handed out: dropped before the next read, not one by one */
        size_t scanned; /* bytes at the front known to hold no NUL, or taken */
};

static int wait_for(const struct varlink_client *c, short events) {
        struct pollfd p = { .fd = c->fd, .events = events };
        int r;

        do
                r = poll(&p, 1, c->timeout_msec);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        return r == 0 ? -ETIMEDOUT : 0;
}

static int connect_to(struct varlink_client *c, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval limit = { .tv_sec = c->timeout_msec / 1000, .tv_usec = c->timeout_msec % 1000 * 1000 };

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
                return -errno;
        /* A full backlog makes connect(2) of AF_UNIX wait: SO_SNDTIMEO bounds that. */
        if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return -errno;
        if (connect(c->fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                switch (errno) {
                case ENOENT:
                case ENOTDIR:
                case ECONNREFUSED: /* the socket file of a daemon that died */
                        return -EHOSTDOWN;
                case EAGAIN:
                        return -ETIMEDOUT;
                default:
                        return -errno;
                }
        }
        return 0;
}

int varlink_client_connect_path(const char *path, unsigned timeout_msec, struct varlink_client **ret) {
        AUTO(varlink_client_freep) struct varlink_client *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->fd = -EBADF;
        c->timeout_msec = (int) timeout_msec;
        r = connect_to(c, path);
        if (r < 0)
                return r;
        *ret = STEAL(c);
        return 0;
}

int varlink_client_connect(const char *run_dir, unsigned timeout_msec, struct varlink_client **ret) {
        char path[4096];
        int n = snprintf(path, sizeof(path), "%s/systemd/machine/io.systemd.Machine", run_dir);

        if (n < 0 || (size_t) n >= sizeof(path))
                return -ENAMETOOLONG;
        return varlink_client_connect_path(path, timeout_msec, ret);
}

void varlink_client_free(struct varlink_client *c) {
        if (!c)
                return;
        if (c->fd >= 0)
                close(c->fd);
        buf_done(&c->in);
        free(c);
}

void varlink_client_wait_for_ever(struct varlink_client *c) {
        c->timeout_msec = -1;
}

static int write_all(const struct varlink_client *c, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : errno == EPIPE ? -ECONNRESET : -errno;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

/* The kernel keeps descriptors beside the first byte that they were sent with. */
static int write_first(const struct varlink_client *c, const char *data, size_t size, const int *fds, size_t n_fds,
                       size_t *ret) {
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(VARLINK_CLIENT_FDS * sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec part = { .iov_base = (char *) data, .iov_len = size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t n;

        if (n_fds > 0) {
                control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.head), fds, n_fds * sizeof(int));
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        }
        do
                n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EAGAIN ? -ETIMEDOUT : errno == EPIPE ? -ECONNRESET : -errno;
        *ret = (size_t) n;
        return 0;
}

static int send_call(struct varlink_client *c, const char *method, const char *parameters, bool more, const int *fds,
                     size_t n_fds) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);
        size_t sent = 0;
        int r;

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "method", method);
        if (parameters)
                json_text_raw(&j, "parameters", parameters, strlen(parameters));
        if (more)
                json_text_bool(&j, "more", true);
        json_text_end_object(&j);
        buf_append_char(&out, '\0');
        if (buf_error(&out))
                return buf_error(&out);
        r = n_fds > 0 ? write_first(c, out.data, out.size, fds, n_fds, &sent) : 0;
        return r < 0 ? r : write_all(c, out.data + sent, out.size - sent);
}

int varlink_client_send(struct varlink_client *c, const char *method, const char *parameters, bool more) {
        return send_call(c, method, parameters, more, NULL, 0);
}

int varlink_client_send_fds(struct varlink_client *c, const char *method, const char *parameters, const int *fds,
                            size_t n) {
        return n > VARLINK_CLIENT_FDS ? -E2BIG : send_call(c, method, parameters, false, fds, n);
}

static int read_some(struct varlink_client *c, bool wait) {
        char chunk[65536];
        ssize_t n;
        int r = 0;

        buf_consume(&c->in, c->taken);
        c->scanned -= c->taken;
        c->taken = 0;
        if (c->in.size > VARLINK_ANSWER_MAX)
                return -EMSGSIZE;
        if (wait)
                r = wait_for(c, POLLIN);
        if (r < 0)
                return r;
        n = recv(c->fd, chunk, sizeof(chunk), wait ? 0 : MSG_DONTWAIT);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        if (n == 0)
                return -ECONNRESET;
        return buf_append(&c->in, chunk, (size_t) n);
}

static int next(struct varlink_client *c, bool wait, struct varlink_answer *ret) {
        for (;;) {
                const char *end =
                        c->in.size > c->scanned ? memchr(c->in.data + c->scanned, 0, c->in.size - c->scanned) : NULL;
                int r;

                if (end) {
                        const char *text = c->in.data + c->taken;

                        c->taken = c->scanned = (size_t) (end - c->in.data) + 1;
                        return varlink_answer_decode(text, (size_t) (end - text), ret);
                }
                c->scanned = c->in.size;
                r = read_some(c, wait);
                if (r < 0)
                        return r;
        }
}

int varlink_client_next(struct varlink_client *c, struct varlink_answer *ret) {
        return next(c, true, ret);
}

int varlink_client_try_next(struct varlink_client *c, struct varlink_answer *ret) {
        return next(c, false, ret);
}

int varlink_client_fd(const struct varlink_client *c) {
        return c->fd;
}

int varlink_client_call(struct varlink_client *c, const char *method, const char *parameters,
                        struct varlink_answer *ret) {
        int r = varlink_client_send(c, method, parameters, false);

        return r < 0 ? r : varlink_client_next(c, ret);
}
