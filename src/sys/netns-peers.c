/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of our interfaces says, for one end of a pair, the id that our namespace has for the other end's; a second
 * question turns the process's namespace into such an id. In this order: the first one is what makes the kernel give ids. */
#include "sys/netns-peers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "sys/rtnetlink.h"

#define DATAGRAM_MAX ((size_t) 32 * 1024) /* the kernel fills dumps up to the reader's buffer, at most this */
#define DATAGRAMS_MAX 10000

union datagram {
        struct nlmsghdr align;
        char bytes[DATAGRAM_MAX];
};

/* ---- decoding ---- */

/* The payload of the first attribute of that type, NULL: none, or broken. */
static const uint8_t *find_attribute(const uint8_t *data, size_t size, uint16_t type, size_t *ret_size) {
        while (size >= sizeof(struct rtattr)) {
                struct rtattr a;
                size_t step;

                memcpy(&a, data, sizeof(a));
                if (a.rta_len < RTA_LENGTH(0) || a.rta_len > size)
                        return NULL;
                if ((a.rta_type & NLA_TYPE_MASK) == type) {
                        *ret_size = a.rta_len - RTA_LENGTH(0);
                        return data + RTA_LENGTH(0);
                }
                step = RTA_ALIGN(a.rta_len);
                if (step >= size)
                        return NULL;
                data += step;
                size -= step;
        }
        return NULL;
}

static bool find_int32(const uint8_t *data, size_t size, uint16_t type, int32_t *ret) {
        size_t n;
        const uint8_t *p = find_attribute(data, size, type, &n);

        if (!p || n != sizeof(*ret))
                return false;
        memcpy(ret, p, sizeof(*ret));
        return true;
}

static bool is_pair(const uint8_t *data, size_t size) {
        size_t n;
        const uint8_t *info = find_attribute(data, size, IFLA_LINKINFO, &n);
        const uint8_t *kind = info ? find_attribute(info, n, IFLA_INFO_KIND, &n) : NULL;

        return kind && ((n >= 4 && strncmp((const char *) kind, "veth", n) == 0) ||
                        (n >= 6 && strncmp((const char *) kind, "netkit", n) == 0));
}

static void add_link(const uint8_t *data, size_t size, struct netns_peers *ret) {
        struct ifinfomsg body;
        int32_t nsid;

        if (ret->n >= ret->max || size < NLMSG_ALIGN(sizeof(body)))
                return;
        memcpy(&body, data, sizeof(body));
        data += NLMSG_ALIGN(sizeof(body));
        size -= NLMSG_ALIGN(sizeof(body));
        if (body.ifi_index <= 0 || !find_int32(data, size, IFLA_LINK_NETNSID, &nsid) || nsid < 0 ||
            !is_pair(data, size))
                return;
        ret->entries[ret->n++] = (struct netns_peer){ (unsigned) body.ifi_index, nsid };
}

static void on_message(void *userdata, const uint8_t *data, size_t size) {
        add_link(data, size, userdata);
}

int netns_peers_decode(const void *data, size_t size, struct netns_peers *ret) {
        return rtnetlink_each(data, size, RTM_NEWLINK, on_message, ret);
}

/* ---- asking ---- */

static int ask(int fd, struct nlmsghdr *request) {
        static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

        return sendto(fd, request, request->nlmsg_len, 0, (const struct sockaddr *) &kernel, sizeof(kernel)) < 0
                       ? -errno
                       : 0;
}

/* One datagram of the kernel's; what other processes send to our port is dropped. */
static int listen_to(int fd, union datagram *d, size_t *ret_size) {
        for (;;) {
                struct sockaddr_nl from = { .nl_pid = 0 };
                socklen_t from_size = sizeof(from);
                ssize_t n = recvfrom(fd, d->bytes, sizeof(d->bytes), MSG_TRUNC, (struct sockaddr *) &from, &from_size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (from.nl_pid != 0)
                        continue;
                if ((size_t) n > sizeof(d->bytes))
                        return -EMSGSIZE;
                *ret_size = (size_t) n;
                return 0;
        }
}

static int list_links(int fd, union datagram *d, struct netns_peers *ret) {
        struct {
                struct nlmsghdr head;
                struct ifinfomsg body;
        } request = {
                .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                          .nlmsg_type = RTM_GETLINK,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                          .nlmsg_seq = 1 },
        };
        size_t size;
        int r = ask(fd, &request.head);

        for (int i = 0; r == 0 && i < DATAGRAMS_MAX; i++) {
                r = listen_to(fd, d, &size);
                if (r == 0)
                        r = netns_peers_decode(d->bytes, size, ret);
        }
        return r < 0 ? r : 0;
}

/* What our namespace calls the one behind netns_fd; -1: it has no id, so none of our interfaces leads there. */
static int find_nsid(int fd, int netns_fd, union datagram *d, int32_t *ret) {
        struct {
                struct nlmsghdr head;
                struct rtgenmsg body;
                uint8_t pad[3];
                struct rtattr attribute;
                uint32_t netns;
        } request = {
                .head = { .nlmsg_len = sizeof(request),
                          .nlmsg_type = RTM_GETNSID,
                          .nlmsg_flags = NLM_F_REQUEST,
                          .nlmsg_seq = 2 },
                .attribute = { .rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = NETNSA_FD },
                .netns = (uint32_t) netns_fd,
        };
        const size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct rtgenmsg));
        size_t size;
        int r = ask(fd, &request.head);

        if (r >= 0)
                r = listen_to(fd, d, &size);
        if (r < 0)
                return r;
        if (size < skip || d->align.nlmsg_len > size || d->align.nlmsg_type != RTM_NEWNSID)
                return d->align.nlmsg_type == NLMSG_ERROR && size > NLMSG_HDRLEN
                               ? rtnetlink_error((uint8_t *) d->bytes + NLMSG_HDRLEN, size - NLMSG_HDRLEN)
                               : -EBADMSG;
        return find_int32((uint8_t *) d->bytes + skip, size - skip, NETNSA_NSID, ret) ? 0 : -EBADMSG;
}

int netns_peers(pid_t pid, struct netns_peers *ret) {
        static union datagram datagram; /* not on the stack: 32 KiB */
        AUTO_CLOSE int fd = -EBADF, netns_fd = -EBADF;
        char path[64];
        int32_t nsid = -1;
        size_t n = 0;
        int r;

        ret->n = 0;
        snprintf(path, sizeof(path), "/proc/%d/ns/net", (int) pid);
        netns_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (netns_fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        if (fd < 0)
                return -errno;
        r = list_links(fd, &datagram, ret);
        if (r >= 0)
                r = find_nsid(fd, netns_fd, &datagram, &nsid);
        for (size_t i = 0; r >= 0 && i < ret->n; i++)
                if (ret->entries[i].nsid == nsid)
                        ret->entries[n++] = ret->entries[i];
        ret->n = n;
        return r;
}
