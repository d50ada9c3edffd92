/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams of an address dump: never more than there is room for, always in order. */
#include <stdint.h>
#include <stdlib.h>

#include "sys/netns-addresses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct netns_address entries[32];
        struct netns_addresses found = { .entries = entries, .max = 32 };

        netns_addresses_decode(data, size, &found);
        if (found.n > found.max)
                abort();
        netns_addresses_order(&found);
        for (size_t i = 0; i < found.n; i++)
                if (entries[i].ifindex <= 0)
                        abort();
        return 0;
}
