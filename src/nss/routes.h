/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/routes.h: where the kernel would send a packet (rtnetlink(7)). Pure but for routes_open() and the two questions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int routes_open(void); /* a socket, or -errno */

/* The interface that the address is on; -ENOENT: it is behind a router, our own, or nowhere. -errno. */
int routes_interface_of(int fd, int family, const uint8_t *bytes, uint32_t *ret_ifindex);
/* The bridge (or the like) that an interface is a port of; 0: none. -errno. */
int routes_master_of(int fd, uint32_t ifindex, uint32_t *ret_ifindex);

/* The kernel's answers to these; data: one datagram, size bytes. Errors as above; -EBADMSG. For tests. */
int routes_decode_route(const void *data, size_t size, uint32_t *ret_ifindex);
int routes_decode_link(const void *data, size_t size, uint32_t *ret_ifindex);
