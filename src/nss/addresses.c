/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nss/addresses.h"

#include <netinet/in.h>
#include <string.h>

static bool is_zero(const uint8_t *bytes, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (bytes[i] != 0)
                        return false;
        return true;
}

bool nss_address_is_link_local(int family, const uint8_t *b) {
        return family == AF_INET ? b[0] == 169 && b[1] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

static bool is_unique_local(int family, const uint8_t *b) {
        return family == AF_INET6 && (b[0] & 0xfe) == 0xfc;
}

bool nss_address_is_usable(int family, const uint8_t *b) {
        if (family == AF_INET)
                return b[0] != 0 && b[0] != 127 && b[0] < 224;
        return b[0] != 0xff && !(is_zero(b, 15) && b[15] <= 1);
}

/* Private IPv4 addresses count as global: that is what containers have, and what they reach others with. */
static int rank(const struct nss_address *a) {
        if (nss_address_is_link_local(a->family, a->bytes))
                return 2;
        return is_unique_local(a->family, a->bytes) ? 1 : 0;
}

void nss_addresses_add(struct nss_addresses *a, const uint8_t *bytes, size_t size) {
        struct nss_address new = { .family = size == 4 ? AF_INET : AF_INET6 };
        unsigned at;

        if ((size != 4 && size != 16) || !nss_address_is_usable(new.family, bytes))
                return;
        memcpy(new.bytes, bytes, size);
        for (unsigned i = 0; i < a->n; i++)
                if (a->entries[i].family == new.family && memcmp(a->entries[i].bytes, new.bytes, 16) == 0)
                        return;
        for (at = a->n; at > 0 && rank(&a->entries[at - 1]) > rank(&new);)
                at--;
        if (at == ADDRESSES_MAX)
                return;
        if (a->n == ADDRESSES_MAX)
                a->n--;
        memmove(a->entries + at + 1, a->entries + at, (a->n - at) * sizeof(new));
        a->entries[at] = new;
        a->n++;
}
