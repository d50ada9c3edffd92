/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/idmap-text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

/* Up to three numbers of a line, padded with blanks as the kernel does. The count, or -EBADMSG. */
static int decode_line(const char *p, const char *end, uint32_t ret[static 3]) {
        int n = 0;

        while (p < end) {
                uint64_t v = 0;

                if (*p == ' ' || *p == '\t') {
                        p++;
                        continue;
                }
                if (n == 3)
                        return -EBADMSG;
                for (; p < end && *p != ' ' && *p != '\t'; p++) {
                        if (*p < '0' || *p > '9')
                                return -EBADMSG;
                        v = v * 10 + (uint64_t) (*p - '0');
                        if (v > UINT32_MAX)
                                return -EBADMSG;
                }
                ret[n++] = (uint32_t) v;
        }
        return n;
}

static int check_range(const struct idmap_range *g) {
        if (g->count == 0 || (uint64_t) g->inside + g->count - 1 > UINT32_MAX ||
            (uint64_t) g->outside + g->count - 1 > UINT32_MAX)
                return -EBADMSG;
        return 0;
}

static size_t count_lines(const char *text, size_t size) {
        size_t n = 0;

        for (const char *p = text; (p = memchr(p, '\n', (size_t) (text + size - p))); p++)
                n++;
        return n + 1;
}

int idmap_decode(const char *text, size_t size, struct idmap *ret) {
        AUTO(idmap_done) struct idmap map = { NULL, 0 };
        size_t lines = count_lines(text, size);

        if (lines > IDMAP_RANGES_MAX + 1)
                return -E2BIG;
        map.ranges = calloc(lines, sizeof(*map.ranges));
        if (!map.ranges)
                return -ENOMEM;
        for (const char *p = text, *end = text + size; p < end;) {
                const char *newline = memchr(p, '\n', (size_t) (end - p)), *stop = newline ? newline : end;
                struct idmap_range *g = &map.ranges[map.n_ranges];
                uint32_t v[3];
                int n = decode_line(p, stop, v);

                p = stop + 1;
                if (n == 0)
                        continue;
                if (n != 3)
                        return -EBADMSG;
                *g = (struct idmap_range){ v[0], v[1], v[2] };
                if (check_range(g) < 0)
                        return -EBADMSG;
                map.n_ranges++;
        }
        if (map.n_ranges > IDMAP_RANGES_MAX)
                return -E2BIG;
        *ret = map;
        map = (struct idmap){ NULL, 0 };
        return 0;
}
