/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/hot-keys.h"

#define ESCAPE 0x1d /* ^] */
#define WITHIN_USEC 1000000U

static enum hot_key meaning(uint8_t byte) {
        if (byte == 'r')
                return HOT_KEY_REBOOT;
        if (byte == 'p')
                return HOT_KEY_POWER_OFF;
        return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ? HOT_KEY_UNKNOWN : HOT_KEY_NONE;
}

enum hot_key hot_keys_feed(struct hot_keys *h, uint8_t byte, uint64_t now_usec) {
        if (h->count > 0 && now_usec - h->first_usec > WITHIN_USEC)
                h->count = 0;
        if (byte != ESCAPE) {
                enum hot_key key = h->count == 2 ? meaning(byte) : HOT_KEY_NONE;

                h->count = 0;
                return key;
        }
        if (h->count == 0)
                h->first_usec = now_usec;
        if (++h->count < 3)
                return HOT_KEY_NONE;
        h->count = 0;
        return HOT_KEY_KILL;
}
