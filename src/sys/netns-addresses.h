/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/netns-addresses.h: the addresses of a network namespace, over NETLINK_ROUTE (rtnetlink(7)). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct netns_address {
        int ifindex; /* 1 and up */
        int family;  /* AF_INET or AF_INET6 */
        uint8_t scope;
        uint8_t bytes[16]; /* 4 or 16 of them, the rest 0 */
};

struct netns_addresses {
        struct netns_address *entries; /* lent by the caller */
        size_t max, n;                 /* what goes beyond max is left out */
};

/* Asks the namespace behind netns_fd, or ours when that is negative. Without deprecated and tentative ones and those of
 * scope host and nowhere; IPv4 first, then by scope, interface, bytes; no two the same. own_netns_fd is where to return
 * to; the visit lasts one socket(2). -ENOTRECOVERABLE: we could not go back, which the caller must not survive. -errno.
 */
int netns_addresses(int netns_fd, int own_netns_fd, struct netns_addresses *ret);

/* One datagram of the kernel's answer: adds its addresses to ret. 1: that was the last one, 0: there is more to come,
 * -errno that the kernel reported, -EBADMSG. Pure: for tests. */
int netns_addresses_decode(const void *data, size_t size, struct netns_addresses *ret);
/* Sorts and removes duplicates. Pure. */
void netns_addresses_order(struct netns_addresses *a);
