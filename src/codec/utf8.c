/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/utf8.h"

#include <stdint.h>

size_t utf8_printable(const char *text, size_t size) {
        const uint8_t *s = (const uint8_t *) text;
        uint32_t c;
        size_t n;

        if (size == 0)
                return 0;
        if (s[0] < 0x80)
                return s[0] >= 0x20 && s[0] != 0x7f ? 1 : 0;
        n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
        if (s[0] < 0xc2 || s[0] > 0xf4 || n > size)
                return 0;
        c = s[0] & (0xffU >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3fU);
        }
        if (c < 0xa0 || (n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return 0;
        return n;
}

bool utf8_is_valid(const char *s) {
        for (const unsigned char *c = (const unsigned char *) s; *c;) {
                int more = *c < 0x80                 ? 0
                           : *c >= 0xc2 && *c < 0xe0 ? 1
                           : *c >= 0xe0 && *c < 0xf0 ? 2
                           : *c >= 0xf0 && *c < 0xf5 ? 3
                                                     : -1;
                unsigned char first = *c++;

                if (more < 0 || (first == 0xe0 && *c < 0xa0) || (first == 0xed && *c > 0x9f) ||
                    (first == 0xf0 && *c < 0x90) || (first == 0xf4 && *c > 0x8f))
                        return false;
                for (; more > 0; more--, c++)
                        if ((*c & 0xc0) != 0x80)
                                return false;
        }
        return true;
}
