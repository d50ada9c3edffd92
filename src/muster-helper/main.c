/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-helper: answers musterd's questions about the inside of machines, one after the other, until the socket
 * closes.
 *
 *   main.c        packets in (codec/helper-protocol.h), packets out; who is asked about
 *   inspect.c     addresses, os-release, the root directory
 *   kill-tree.c   signals to a machine that has no cgroup
 *   harden.c      rights given up before the first packet
 *
 * Descriptor 3 is a SOCK_SEQPACKET socket to musterd; a question may bring a pidfd of the machine's leader. musterd
 * holds nothing of ours: when we hang in a hostile file system or die, it starts another one. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "codec/helper-protocol.h"
#include "muster-helper/harden.h"
#include "muster-helper/inspect.h"
#include "muster-helper/kill-tree.h"
#include "sys/pidfd.h"

#define SOCKET_FD 3
#define PIDFDS_MAX 4 /* more than the one we take, so that none stays with us unseen */

/* Of the descriptors that came along the first is the pidfd; others are closed. */
static int take_pidfd(struct msghdr *message) {
        int pidfd = -EBADF;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                        if (pidfd < 0)
                                pidfd = fd;
                        else
                                close(fd);
                }
        }
        return pidfd;
}

/* 1: a question. 0: musterd closed its end. */
static int receive(struct helper_question *ret, int *ret_pidfd) {
        uint8_t packet[HELPER_QUESTION_SIZE + 1];
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(PIDFDS_MAX * sizeof(int))];
        } control;
        struct iovec part = { .iov_base = packet, .iov_len = sizeof(packet) };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
        };
        ssize_t n;
        int r;

        do
                n = recvmsg(SOCKET_FD, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        *ret_pidfd = take_pidfd(&message);
        r = helper_question_decode(packet, (size_t) n, ret);
        return r < 0 ? r : 1;
}

/* Each half fails alone; a process that is gone has neither. */
static int look_at_both(struct inspect *inspect, const struct pidref *leader, struct helper_answer *answer) {
        answer->addresses_error = inspect_addresses(inspect, leader, answer);
        if (answer->addresses_error == -ENOTRECOVERABLE)
                return -ENOTRECOVERABLE;
        answer->os_release_error = inspect_os_release(inspect, leader, answer);
        return 0;
}

static int look(struct inspect *inspect, const struct helper_question *q, const struct pidref *leader,
                struct helper_answer *answer, int *ret_fd) {
        switch (q->kind) {
        case HELPER_ADDRESSES:
                return inspect_addresses(inspect, leader, answer);
        case HELPER_OS_RELEASE:
                return inspect_os_release(inspect, leader, answer);
        case HELPER_BOTH:
                return look_at_both(inspect, leader, answer);
        case HELPER_OPEN_ROOT:
                return inspect_open_root(inspect, leader, ret_fd);
        default:
                return kill_tree(leader, q->signal, q->uid);
        }
}

/* pidfd is consumed. */
static int answer_question(struct inspect *inspect, const struct helper_question *q, int pidfd,
                           struct helper_answer *answer, int *ret_fd) {
        struct pidref leader = { .pid = q->pid, .fd = pidfd, .id = q->id, .start = q->start };
        int r = 0;

        if (!(q->flags & HELPER_HOST) && leader.fd < 0)
                r = pidref_reopen(&leader);
        if (r == 0)
                r = look(inspect, q, q->flags & HELPER_HOST ? NULL : &leader, answer, ret_fd);
        pidref_done(&leader);
        return r;
}

static int send_answer(const uint8_t *packet, size_t size, int fd) {
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec part = { .iov_base = (void *) packet, .iov_len = size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        if (fd >= 0) {
                control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
        }
        return sendmsg(SOCKET_FD, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int serve(struct inspect *inspect) {
        static struct helper_answer answer;
        static uint8_t packet[HELPER_ANSWER_MAX];

        for (;;) {
                AUTO_CLOSE int fd = -EBADF;
                struct helper_question q;
                int pidfd = -EBADF, r;
                size_t size;

                r = receive(&q, &pidfd);
                if (r <= 0)
                        return r;
                answer.kind = q.kind;
                answer.number = q.number;
                answer.addresses_error = answer.os_release_error = 0;
                answer.n_addresses = answer.n_strings = 0;
                answer.error = answer_question(inspect, &q, pidfd, &answer, &fd);
                if (answer.error == -ENOTRECOVERABLE) /* we are stuck in a foreign namespace */
                        return answer.error;
                r = helper_answer_encode(&answer, packet, &size);
                if (r < 0) {
                        answer.error = r;
                        helper_answer_encode(&answer, packet, &size);
                }
                r = send_answer(packet, size, fd);
                if (r < 0)
                        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
        }
}

static int check_socket(void) {
        int type = 0;
        socklen_t size = sizeof(type);

        if (getsockopt(SOCKET_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
                return -errno;
        return type == SOCK_SEQPACKET ? 0 : -EPROTOTYPE;
}

int main(int argc, char **argv) {
        struct inspect inspect;
        int r;

        if (check_socket() < 0) {
                fprintf(stderr, "muster-helper is started by musterd, with a socket as descriptor %d.\n", SOCKET_FD);
                return 2;
        }
        syscall(SYS_close_range, SOCKET_FD + 1, ~0U, 0); /* before Linux 5.9 everything is close-on-exec anyway */
        r = inspect_init(&inspect);
        if (r == 0)
                r = harden();
        if (r == 0)
                r = serve(&inspect);
        if (r < 0)
                fprintf(stderr, "muster-helper: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
