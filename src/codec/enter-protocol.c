/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Written byte by byte: a struct on the wire would have holes and an alignment. A request is refused as a whole. */
#include "codec/enter-protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/bytes.h"

#define REQUEST_MAGIC 0x3152454dU /* "MER1" */
#define REPORT_MAGIC 0x3153454dU  /* "MES1" */
#define REQUEST_HEAD ((size_t) 36)
#define REPORT_HEAD ((size_t) 16)

enum {
        FLAG_TERMINAL = 1 << 0,
        FLAG_DETACH = 1 << 1,
        FLAG_ARGV0 = 1 << 2,
        FLAGS = FLAG_TERMINAL | FLAG_DETACH | FLAG_ARGV0
};

/* ---- requests ---- */

static void append_string(struct buf *out, const char *s) {
        buf_append(out, s, strlen(s) + 1);
}

int enter_request_encode(const struct session *s, struct buf *out) {
        uint8_t head[REQUEST_HEAD] = { 0 };
        AUTO_BUF struct buf strings = BUF_EMPTY;

        append_string(&strings, strempty(s->user));
        append_string(&strings, strempty(s->directory));
        for (char **a = s->arguments; a && *a; a++)
                append_string(&strings, *a);
        for (char **e = s->environment; e && *e; e++)
                append_string(&strings, *e);
        if (buf_error(&strings) < 0)
                return buf_error(&strings);
        bytes_put(head, REQUEST_MAGIC, 4);
        bytes_put(head + 4, s->kind, 1);
        bytes_put(head + 5,
                  (s->terminal ? FLAG_TERMINAL : 0U) | (s->detach ? FLAG_DETACH : 0U) | (s->argv0 ? FLAG_ARGV0 : 0U),
                  1);
        bytes_put(head + 8, s->rows, 2);
        bytes_put(head + 10, s->columns, 2);
        bytes_put(head + 12, s->timeout_usec, 8);
        bytes_put(head + 20, strv_length(s->arguments), 4);
        bytes_put(head + 24, strv_length(s->environment), 4);
        bytes_put(head + 28, strings.size, 4);
        buf_append(out, head, sizeof(head));
        buf_append(out, strings.data, strings.size);
        return buf_error(out);
}

/* The next string of the text, or NULL at its end. */
static int take_string(const char **text, size_t *left, char **ret) {
        const char *s = bytes_next_string(text, left);

        return s ? str_dup_nonempty(s, ret) : -EBADMSG;
}

/* n is bounded by the caller. */
static int take_strings(const char **text, size_t *left, size_t n, char ***ret) {
        char **v;

        if (n == 0)
                return 0;
        v = calloc(n + 1, sizeof(*v));
        if (!v)
                return -ENOMEM;
        *ret = v;
        for (size_t i = 0; i < n; i++) {
                const char *s = bytes_next_string(text, left);

                if (!s)
                        return -EBADMSG;
                v[i] = strdup(s);
                if (!v[i])
                        return -ENOMEM;
        }
        return 0;
}

static int take_head(const uint8_t *p, size_t size, struct session *s) {
        if (size < REQUEST_HEAD || size > ENTER_REQUEST_MAX || bytes_get(p, 4) != REQUEST_MAGIC || (p[5] & ~FLAGS) ||
            bytes_get(p + 6, 2) != 0 || bytes_get(p + 32, 4) != 0 || bytes_get(p + 20, 4) > SESSION_ARGUMENTS_MAX ||
            bytes_get(p + 24, 4) > SESSION_ENVIRONMENT_MAX || bytes_get(p + 28, 4) != size - REQUEST_HEAD ||
            p[4] >= _SESSION_KIND_MAX)
                return -EBADMSG;
        s->kind = (enum session_kind) p[4];
        s->terminal = p[5] & FLAG_TERMINAL;
        s->detach = p[5] & FLAG_DETACH;
        s->argv0 = p[5] & FLAG_ARGV0;
        s->rows = (uint16_t) bytes_get(p + 8, 2);
        s->columns = (uint16_t) bytes_get(p + 10, 2);
        s->timeout_usec = bytes_get(p + 12, 8);
        return 0;
}

int enter_request_decode(const void *data, size_t size, struct session **ret) {
        AUTO(session_freep) struct session *s = NULL;
        const uint8_t *p = data;
        const char *text;
        struct diag d = { 0 };
        size_t left;
        int r;

        r = session_new(SESSION_COMMAND, &s);
        if (r >= 0)
                r = take_head(p, size, s);
        if (r < 0)
                return r;
        text = (const char *) p + REQUEST_HEAD;
        left = size - REQUEST_HEAD;
        r = take_string(&text, &left, &s->user);
        if (r >= 0)
                r = take_string(&text, &left, &s->directory);
        if (r >= 0)
                r = take_strings(&text, &left, bytes_get(p + 20, 4), &s->arguments);
        if (r >= 0)
                r = take_strings(&text, &left, bytes_get(p + 24, 4), &s->environment);
        if (r < 0)
                return r;
        if (left > 0 || session_check(s, &d) < 0)
                return -EBADMSG;
        *ret = STEAL(s);
        return 0;
}

/* ---- reports ---- */

size_t enter_report_encode(const struct enter_report *r, uint8_t ret[static ENTER_REPORT_MAX]) {
        size_t size = strnlen(r->text, ENTER_REPORT_TEXT_MAX);

        memset(ret, 0, REPORT_HEAD);
        bytes_put(ret, REPORT_MAGIC, 4);
        bytes_put(ret + 4, r->kind, 1);
        bytes_put(ret + 8, (uint32_t) r->value, 4);
        memcpy(ret + REPORT_HEAD, r->text, size);
        return REPORT_HEAD + size;
}

static bool value_is_valid(enum enter_report_kind kind, int32_t value) {
        switch (kind) {
        case ENTER_REPORT_STARTED:
                return value > 0;
        case ENTER_REPORT_FAILED:
                return value >= ENTER_EXIT_TIMEOUT && value <= ENTER_EXIT_NOT_FOUND;
        case ENTER_REPORT_EXITED:
                return value >= 0 && value <= 255;
        case ENTER_REPORT_SIGNALED:
                return value >= 1 && value <= 64;
        default:
                return value == 0;
        }
}

int enter_report_decode(const void *data, size_t size, struct enter_report *ret) {
        const uint8_t *p = data;
        struct enter_report r;

        if (size < REPORT_HEAD || size > ENTER_REPORT_MAX || bytes_get(p, 4) != REPORT_MAGIC ||
            bytes_get(p + 5, 3) != 0 || bytes_get(p + 12, 4) != 0 || p[4] < ENTER_REPORT_TERMINAL ||
            p[4] >= _ENTER_REPORT_MAX || memchr(p + REPORT_HEAD, '\0', size - REPORT_HEAD))
                return -EBADMSG;
        r.kind = (enum enter_report_kind) p[4];
        r.value = (int32_t) bytes_get(p + 8, 4);
        if (!value_is_valid(r.kind, r.value))
                return -EBADMSG;
        memcpy(r.text, p + REPORT_HEAD, size - REPORT_HEAD);
        r.text[size - REPORT_HEAD] = '\0';
        *ret = r;
        return 0;
}
