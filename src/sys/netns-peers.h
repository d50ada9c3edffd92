/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/netns-peers.h: our ends of the pairs of network interfaces (veth(4), netkit) whose other ends are in the network
 * namespace of somebody, over NETLINK_ROUTE (rtnetlink(7)). Nothing is entered. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct netns_peer {
        unsigned ifindex; /* of our end */
        int32_t nsid;     /* how our namespace calls the other end's */
};

struct netns_peers {
        struct netns_peer *entries; /* lent by the caller */
        size_t max, n;              /* what goes beyond max is left out */
};

/* The interfaces that lead to the namespace of process pid, in the kernel's order. None when that is our own namespace.
 * -ESRCH, -EACCES, other -errno. */
int netns_peers(pid_t pid, struct netns_peers *ret);

/* One datagram of the kernel's list of interfaces: adds the ends of pairs that lead anywhere else. 1: that was the last one,
 * 0: there is more to come, -errno that the kernel reported, -EBADMSG. Pure: for tests. */
int netns_peers_decode(const void *data, size_t size, struct netns_peers *ret);
