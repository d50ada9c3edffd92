/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One way only: programs write compact JSON; what a terminal gets is that text, read back and indented, so both forms
 * cannot differ. */
#include "codec/json-out.h"

#include <errno.h>
#include <jansson.h>

static int append_chunk(const char *data, size_t size, void *userdata) {
        return buf_append(userdata, data, size) < 0 ? -1 : 0;
}

int json_pretty(const char *text, size_t size, struct buf *out) {
        json_t *top = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        int r;

        if (!top)
                return -EBADMSG;
        r = json_dump_callback(top, append_chunk, out, JSON_INDENT(4) | JSON_ENCODE_ANY);
        json_decref(top);
        if (r < 0)
                return -ENOMEM;
        return buf_append_char(out, '\n');
}
