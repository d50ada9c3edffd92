/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A socket belongs to the network namespace in which it was made, for good: we go there, make one, come back, and ask
 * at home. RTM_GETADDR needs no privilege. */
#include "sys/netns-addresses.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/auto.h"
#include "sys/rtnetlink.h"

#define DATAGRAM_MAX ((size_t) 32 * 1024) /* the kernel fills dumps up to the reader's buffer, at most this */
#define DATAGRAMS_MAX 1000                /* a namespace may hold any number of addresses: we look at some 300000 */

static int socket_in(int netns_fd, int own_netns_fd) {
        int fd, error;

        if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
                return -errno;
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        error = errno;
        if (netns_fd >= 0 && setns(own_netns_fd, CLONE_NEWNET) < 0) {
                if (fd >= 0)
                        close(fd);
                return -ENOTRECOVERABLE;
        }
        return fd < 0 ? -error : fd;
}

static int send_dump_request(int fd) {
        static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct {
                struct nlmsghdr head;
                struct ifaddrmsg body;
        } request = {
                .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
                          .nlmsg_type = RTM_GETADDR,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                          .nlmsg_seq = 1 },
                .body = { .ifa_family = AF_UNSPEC },
        };

        if (sendto(fd, &request, request.head.nlmsg_len, 0, (const struct sockaddr *) &kernel, sizeof(kernel)) < 0)
                return -errno;
        return 0;
}

int netns_addresses(int netns_fd, int own_netns_fd, struct netns_addresses *ret) {
        static union {
                struct nlmsghdr align;
                char bytes[DATAGRAM_MAX];
        } datagram; /* not on the stack: 32 KiB */
        AUTO_CLOSE int fd = -EBADF;
        int r;

        ret->n = 0;
        fd = socket_in(netns_fd, own_netns_fd);
        if (fd < 0)
                return fd;
        r = send_dump_request(fd);
        for (int i = 0; r == 0 && i < DATAGRAMS_MAX && ret->n < ret->max; i++) {
                struct sockaddr_nl from = { .nl_pid = 0 };
                socklen_t from_size = sizeof(from);
                ssize_t n = recvfrom(fd, datagram.bytes, sizeof(datagram.bytes), MSG_TRUNC, (struct sockaddr *) &from,
                                     &from_size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -ECONNRESET;
                if (from.nl_pid != 0) /* another process of that namespace wrote to our port: not the kernel's answer */
                        continue;
                if ((size_t) n > sizeof(datagram.bytes))
                        return -EMSGSIZE;
                r = netns_addresses_decode(datagram.bytes, (size_t) n, ret);
        }
        if (r < 0)
                return r;
        netns_addresses_order(ret);
        return 0;
}

/* ---- decoding ---- */

static size_t family_size(int family) {
        return family == AF_INET ? 4 : 16;
}

/* IFA_LOCAL is our end, IFA_ADDRESS the peer's on point-to-point links and our own elsewhere (IPv6 has only that). */
static const uint8_t *find_address(const uint8_t *data, size_t size, const struct ifaddrmsg *body,
                                   uint32_t *ret_flags) {
        const uint8_t *local = NULL, *address = NULL;

        *ret_flags = body->ifa_flags;
        while (size >= sizeof(struct rtattr)) {
                struct rtattr attribute;
                size_t payload, step;

                memcpy(&attribute, data, sizeof(attribute));
                if (attribute.rta_len < RTA_LENGTH(0) || attribute.rta_len > size)
                        return NULL;
                payload = attribute.rta_len - RTA_LENGTH(0);
                if (attribute.rta_type == IFA_LOCAL && payload == family_size(body->ifa_family))
                        local = data + RTA_LENGTH(0);
                else if (attribute.rta_type == IFA_ADDRESS && payload == family_size(body->ifa_family))
                        address = data + RTA_LENGTH(0);
                else if (attribute.rta_type == IFA_FLAGS && payload == sizeof(*ret_flags))
                        memcpy(ret_flags, data + RTA_LENGTH(0), sizeof(*ret_flags));
                step = RTA_ALIGN(attribute.rta_len);
                if (step >= size)
                        break;
                data += step;
                size -= step;
        }
        return local ? local : address;
}

static void add_address(const uint8_t *data, size_t size, struct netns_addresses *ret) {
        struct netns_address *entry;
        const uint8_t *bytes;
        struct ifaddrmsg body;
        uint32_t flags;

        if (ret->n >= ret->max || size < NLMSG_ALIGN(sizeof(body)))
                return;
        memcpy(&body, data, sizeof(body));
        if ((body.ifa_family != AF_INET && body.ifa_family != AF_INET6) || body.ifa_index == 0 ||
            body.ifa_index > INT32_MAX || body.ifa_scope == RT_SCOPE_HOST || body.ifa_scope == RT_SCOPE_NOWHERE)
                return;
        bytes = find_address(data + NLMSG_ALIGN(sizeof(body)), size - NLMSG_ALIGN(sizeof(body)), &body, &flags);
        if (!bytes || (flags & (IFA_F_DEPRECATED | IFA_F_TENTATIVE)))
                return;
        entry = &ret->entries[ret->n++];
        *entry = (struct netns_address){ .ifindex = (int) body.ifa_index,
                                         .family = body.ifa_family,
                                         .scope = body.ifa_scope };
        memcpy(entry->bytes, bytes, family_size(body.ifa_family));
}

static void on_message(void *userdata, const uint8_t *data, size_t size) {
        add_address(data, size, userdata);
}

int netns_addresses_decode(const void *data, size_t size, struct netns_addresses *ret) {
        return rtnetlink_each(data, size, RTM_NEWADDR, on_message, ret);
}

static int compare(const void *pa, const void *pb) {
        const struct netns_address *a = pa, *b = pb;

        if (a->family != b->family)
                return a->family == AF_INET ? -1 : 1;
        if (a->scope != b->scope)
                return a->scope < b->scope ? -1 : 1;
        if (a->ifindex != b->ifindex)
                return a->ifindex < b->ifindex ? -1 : 1;
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

void netns_addresses_order(struct netns_addresses *a) {
        size_t n = 0;

        if (a->n < 2)
                return;
        qsort(a->entries, a->n, sizeof(*a->entries), compare);
        for (size_t i = 0; i < a->n; i++)
                if (i == 0 || compare(&a->entries[n - 1], &a->entries[i]) != 0)
                        a->entries[n++] = a->entries[i];
        a->n = n;
}
