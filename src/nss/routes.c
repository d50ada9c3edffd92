/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nss/routes.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "nss/addresses.h"

#define ANSWER_MAX 8192

int routes_open(void) {
        struct timeval limit = { .tv_usec = 500000 }; /* the kernel has answered when sendto(2) returns */
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        if (fd < 0)
                return -errno;
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        return fd;
}

static ssize_t exchange(int fd, const void *question, size_t size, uint8_t *answer) {
        static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct sockaddr_nl from;
        struct iovec part = { .iov_base = answer, .iov_len = ANSWER_MAX };
        ssize_t n;

        if (sendto(fd, question, size, MSG_NOSIGNAL, (const struct sockaddr *) &kernel, sizeof(kernel)) < 0)
                return -errno;
        for (;;) {
                struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };

                n = recvmsg(fd, &m, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (from.nl_pid != 0) /* not the kernel: anybody may write to us */
                        continue;
                return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
        }
}

int routes_interface_of(int fd, int family, const uint8_t *bytes, uint32_t *ret_ifindex) {
        struct {
                struct nlmsghdr head;
                struct rtmsg body;
                struct rtattr attribute;
                uint8_t address[16];
        } q = { .head = { .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST },
                .body = { .rtm_family = (uint8_t) family },
                .attribute = { .rta_type = RTA_DST } };
        const size_t size = nss_address_size(family);
        uint8_t answer[ANSWER_MAX];
        ssize_t n;

        memcpy(q.address, bytes, size);
        q.body.rtm_dst_len = (uint8_t) (size * 8);
        q.attribute.rta_len = (uint16_t) RTA_LENGTH(size);
        q.head.nlmsg_len = (uint32_t) (NLMSG_LENGTH(sizeof(q.body)) + RTA_LENGTH(size));
        n = exchange(fd, &q, q.head.nlmsg_len, answer);
        if (n < 0)
                return (int) n;
        return routes_decode_route(answer, (size_t) n, ret_ifindex);
}

int routes_master_of(int fd, uint32_t ifindex, uint32_t *ret_ifindex) {
        struct {
                struct nlmsghdr head;
                struct ifinfomsg body;
        } q = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.body)),
                          .nlmsg_type = RTM_GETLINK,
                          .nlmsg_flags = NLM_F_REQUEST },
                .body = { .ifi_index = (int) ifindex } };
        uint8_t answer[ANSWER_MAX];
        ssize_t n = exchange(fd, &q, sizeof(q), answer);

        if (n < 0)
                return (int) n;
        return routes_decode_link(answer, (size_t) n, ret_ifindex);
}
