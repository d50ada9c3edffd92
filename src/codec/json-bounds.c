/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One pass over the bytes. Only brackets and commas outside of strings count. */
#include "codec/json-bounds.h"

#include <errno.h>
#include <stdbool.h>

struct scan {
        const struct json_bounds *bounds;
        int depth;
        size_t values;
        bool in_string, escaped;
};

static int scan_byte(struct scan *s, char c) {
        if (s->in_string) {
                if (s->escaped)
                        s->escaped = false;
                else if (c == '\\')
                        s->escaped = true;
                else if (c == '"')
                        s->in_string = false;
                return 0;
        }
        switch (c) {
        case '"':
                s->in_string = true;
                return 0;
        case '{':
        case '[':
                s->values++;
                return ++s->depth > s->bounds->depth ? -EBADMSG : 0;
        case '}':
        case ']':
                return --s->depth < 0 ? -EBADMSG : 0;
        case ',':
                return ++s->values > s->bounds->values ? -EBADMSG : 0;
        default:
                return 0;
        }
}

int json_bounds_check(const char *text, size_t size, const struct json_bounds *b) {
        struct scan s = { .bounds = b };
        int r = 0;

        if (size > b->size)
                return -EMSGSIZE;
        for (size_t i = 0; r >= 0 && i < size; i++)
                r = scan_byte(&s, text[i]);
        return r < 0 || s.depth != 0 ? -EBADMSG : 0;
}
