/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Datagrams of a list of interfaces: never more than there is room for. */
#include <stdint.h>
#include <stdlib.h>

#include "sys/netns-peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct netns_peer entries[4];
        struct netns_peers found = { .entries = entries, .max = 4 };

        netns_peers_decode(data, size, &found);
        if (found.n > found.max)
                abort();
        for (size_t i = 0; i < found.n; i++)
                if (entries[i].ifindex == 0 || entries[i].nsid < 0)
                        abort();
        return 0;
}
