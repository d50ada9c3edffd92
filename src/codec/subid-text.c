/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/subid-text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

#define LINE_BYTES 256

/* NAME:FIRST:COUNT */
static bool parse_line(char *line, const char *name, uint32_t uid, struct subid_range *ret) {
        char *first = strchr(line, ':'), *count = first ? strchr(first + 1, ':') : NULL;
        uint32_t owner;

        if (!count)
                return false;
        *first++ = '\0';
        *count++ = '\0';
        if (!(name && streq(line, name)) && !(parse_u32(line, &owner) == 0 && owner == uid))
                return false;
        return parse_u32(first, &ret->first) == 0 && parse_u32(count, &ret->count) == 0 && ret->count > 0 &&
               ret->first <= UINT32_MAX - ret->count;
}

int subid_find(const char *text, size_t size, const char *name, uint32_t uid, struct subid_range *ret) {
        struct subid_range best = { 0 }, range;

        while (size > 0) {
                const char *end = memchr(text, '\n', size);
                size_t n = end ? (size_t) (end - text) : size;
                char line[LINE_BYTES];

                if (n < sizeof(line) && !memchr(text, '\0', n)) {
                        memcpy(line, text, n);
                        line[n] = '\0';
                        if (parse_line(line, name, uid, &range) && range.count > best.count)
                                best = range;
                }
                text += n + (end ? 1 : 0);
                size -= n + (end ? 1 : 0);
        }
        if (best.count == 0)
                return -ENOENT;
        *ret = best;
        return 0;
}
