/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Written byte by byte, as codec/enter-protocol.c does it. */
#include "codec/transfer-protocol.h"

#include <errno.h>
#include <string.h>

#include "codec/bytes.h"

#define REQUEST_MAGIC 0x3152544dU /* "MTR1" */
#define REPORT_MAGIC 0x3153544dU  /* "MTS1" */
#define REQUEST_HEAD ((size_t) 12)
#define REPORT_HEAD ((size_t) 40)
#define ERRNO_MAX 4095 /* the kernel has no larger one */

enum {
        FLAG_REPLACE = 1 << 0,
        FLAG_READ_ONLY = 1 << 1,
        FLAG_MAKE = 1 << 2,
        FLAG_ARCHIVE = 1 << 3,
        FLAG_PROGRESS = 1 << 4,
        FLAGS = (1 << 5) - 1
};

/* ---- requests ---- */

int transfer_request_encode(const struct transfer *t, struct buf *out) {
        uint8_t head[REQUEST_HEAD] = { 0 };

        bytes_put(head, REQUEST_MAGIC, 4);
        bytes_put(head + 4, t->kind, 1);
        bytes_put(head + 5,
                  (t->replace ? FLAG_REPLACE : 0U) | (t->read_only ? FLAG_READ_ONLY : 0U) | (t->make ? FLAG_MAKE : 0U) |
                          (t->archive ? FLAG_ARCHIVE : 0U) | (t->progress ? FLAG_PROGRESS : 0U),
                  1);
        buf_append(out, head, sizeof(head));
        buf_append(out, strempty(t->source), strlen(strempty(t->source)) + 1);
        return buf_append(out, strempty(t->destination), strlen(strempty(t->destination)) + 1);
}

static int take_string(const char **text, size_t *left, char **ret) {
        const char *s = bytes_next_string(text, left);

        return s ? str_dup_nonempty(s, ret) : -EBADMSG;
}

static int take_head(const uint8_t *p, size_t size, struct transfer *t) {
        if (size < REQUEST_HEAD || size > TRANSFER_REQUEST_MAX || bytes_get(p, 4) != REQUEST_MAGIC ||
            p[4] >= _TRANSFER_KIND_MAX || (p[5] & ~FLAGS) || bytes_get(p + 6, 2) != 0 || bytes_get(p + 8, 4) != 0)
                return -EBADMSG;
        t->kind = (enum transfer_kind) p[4];
        t->replace = p[5] & FLAG_REPLACE;
        t->read_only = p[5] & FLAG_READ_ONLY;
        t->make = p[5] & FLAG_MAKE;
        t->archive = p[5] & FLAG_ARCHIVE;
        t->progress = p[5] & FLAG_PROGRESS;
        return 0;
}

int transfer_request_decode(const void *data, size_t size, struct transfer **ret) {
        AUTO(transfer_freep) struct transfer *t = NULL;
        struct diag d = { 0 };
        const char *text;
        size_t left;
        int r;

        r = transfer_new(TRANSFER_COPY_TO, &t);
        if (r >= 0)
                r = take_head(data, size, t);
        if (r < 0)
                return r;
        text = (const char *) data + REQUEST_HEAD;
        left = size - REQUEST_HEAD;
        r = take_string(&text, &left, &t->source);
        if (r >= 0)
                r = take_string(&text, &left, &t->destination);
        if (r < 0)
                return r;
        if (left > 0)
                return -EBADMSG;
        r = transfer_check(t, &d);
        if (r < 0)
                return r == -EINVAL ? -EBADMSG : r;
        *ret = STEAL(t);
        return 0;
}

/* ---- reports ---- */

size_t transfer_report_encode(const struct transfer_report *r, uint8_t ret[static TRANSFER_REPORT_MAX]) {
        size_t size = strnlen(r->text, TRANSFER_REPORT_TEXT_MAX);

        memset(ret, 0, REPORT_HEAD);
        bytes_put(ret, REPORT_MAGIC, 4);
        bytes_put(ret + 4, r->kind, 1);
        bytes_put(ret + 8, r->error, 4);
        bytes_put(ret + 16, r->bytes, 8);
        bytes_put(ret + 24, r->files, 8);
        bytes_put(ret + 32, r->left_out, 8);
        memcpy(ret + REPORT_HEAD, r->text, size);
        return REPORT_HEAD + size;
}

int transfer_report_decode(const void *data, size_t size, struct transfer_report *ret) {
        const uint8_t *p = data;
        struct transfer_report r;

        if (size < REPORT_HEAD || size > TRANSFER_REPORT_MAX || bytes_get(p, 4) != REPORT_MAGIC ||
            p[4] < TRANSFER_REPORT_PROGRESS || p[4] >= _TRANSFER_REPORT_MAX || bytes_get(p + 5, 3) != 0 ||
            bytes_get(p + 12, 4) != 0 || memchr(p + REPORT_HEAD, '\0', size - REPORT_HEAD))
                return -EBADMSG;
        r.kind = (enum transfer_report_kind) p[4];
        r.error = (uint32_t) bytes_get(p + 8, 4);
        if (r.error > ERRNO_MAX || (r.error > 0) != (r.kind == TRANSFER_REPORT_FAILED))
                return -EBADMSG;
        r.bytes = bytes_get(p + 16, 8);
        r.files = bytes_get(p + 24, 8);
        r.left_out = bytes_get(p + 32, 8);
        memcpy(r.text, p + REPORT_HEAD, size - REPORT_HEAD);
        r.text[size - REPORT_HEAD] = '\0';
        *ret = r;
        return 0;
}
