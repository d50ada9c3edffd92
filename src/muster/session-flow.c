/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/session-flow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 4096 /* what can be written to a terminal or pipe that says it has room */
#define TERMINAL_BYTES_MAX ((size_t) 1 << 20)

void flow_close_end(int *fd) {
        if (*fd > STDERR_FILENO)
                close(*fd);
        *fd = -EBADF;
}

int flow_new(int from, int to, struct flow **ret) {
        struct flow *f = malloc(sizeof(*f));
        struct stat st;

        if (!f)
                return -ENOMEM;
        f->from = from;
        f->to = to;
        f->begin = f->end = 0;
        f->whole = fstat(to, &st) == 0 && S_ISREG(st.st_mode);
        *ret = f;
        return 0;
}

void flow_free(struct flow *f) {
        if (!f)
                return;
        flow_close_end(&f->from);
        flow_close_end(&f->to);
        free(f);
}

int flow_fill(struct flow *f) {
        ssize_t n;

        do
                n = read(f->from, f->data, sizeof(f->data));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        f->begin = 0;
        f->end = (size_t) n;
        return (int) n;
}

void flow_empty(struct flow *f) {
        size_t size = f->end - f->begin;
        ssize_t n;

        if (!f->whole && size > CHUNK && f->to <= STDERR_FILENO)
                size = CHUNK;
        n = write(f->to, f->data + f->begin, size);
        if (n >= 0)
                f->begin += (size_t) n;
        else if (errno != EAGAIN && errno != EINTR) {
                f->begin = f->end = 0;
                flow_close_end(&f->to);
                flow_close_end(&f->from);
        }
}

size_t flow_waiting(const struct flow *f) {
        struct stat st;
        int size;

        if (f->from < 0 || fstat(f->from, &st) < 0 || !S_ISFIFO(st.st_mode) || ioctl(f->from, FIONREAD, &size) < 0)
                return TERMINAL_BYTES_MAX;
        return (size_t) size;
}
