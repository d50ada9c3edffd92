/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/id128.h"

#include <errno.h>
#include <string.h>

bool id128_is_null(const struct id128 *id) {
        static const struct id128 null;

        return id128_equal(id, &null);
}

bool id128_equal(const struct id128 *a, const struct id128 *b) {
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

char *id128_to_string(const struct id128 *id, char ret[static ID128_STRING_SIZE]) {
        static const char hex[] = "0123456789abcdef";

        for (size_t i = 0; i < sizeof(id->bytes); i++) {
                ret[2 * i] = hex[id->bytes[i] >> 4];
                ret[2 * i + 1] = hex[id->bytes[i] & 15];
        }
        ret[32] = '\0';
        return ret;
}

static int nibble(char c) {
        const char *digits = "0123456789abcdef0123456789ABCDEF", *p = c ? strchr(digits, c) : NULL;

        return p ? (int) ((p - digits) % 16) : -1;
}

int id128_from_string(const char *s, struct id128 *ret) {
        size_t length = strlen(s), at = 0;
        struct id128 id;

        if (length != 32 && length != 36)
                return -EINVAL;
        for (size_t i = 0; i < sizeof(id.bytes); i++) {
                int high, low;

                if (length == 36 && (at == 8 || at == 13 || at == 18 || at == 23) && s[at++] != '-')
                        return -EINVAL;
                high = nibble(s[at++]);
                low = nibble(s[at++]);
                if (high < 0 || low < 0)
                        return -EINVAL;
                id.bytes[i] = (uint8_t) (high << 4 | low);
        }
        *ret = id;
        return 0;
}
