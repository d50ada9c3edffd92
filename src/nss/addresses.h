/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/addresses.h: the addresses of one machine, in the order that callers shall try them. Pure, allocates nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESSES_MAX 64 /* of a machine; those that are tried last are left out */

struct nss_address {
        int family; /* AF_INET or AF_INET6 */
        uint8_t bytes[16];
};

struct nss_addresses {
        unsigned n;
        struct nss_address entries[ADDRESSES_MAX];
};

/* bytes: 4 or 16 of them. Puts them behind those of the same rank: global, then unique-local, then link-local. What is there
 * already, and what is no address of a machine (unspecified, loopback, multicast), is left out. */
void nss_addresses_add(struct nss_addresses *a, const uint8_t *bytes, size_t size);
bool nss_address_is_link_local(int family, const uint8_t *bytes);
/* Whether one machine could have it and others could tell: no loopback, no multicast, not unspecified. */
bool nss_address_is_usable(int family, const uint8_t *bytes);

static inline size_t nss_address_size(int family) {
        return family == 2 /* AF_INET */ ? 4 : 16;
}
