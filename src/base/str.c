/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings and the growing buffer. Everything that fails fails by -ENOMEM and leaves its argument usable. */
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

bool streq_ptr(const char *a, const char *b) {
        if (!a || !b)
                return a == b;
        return streq(a, b);
}

const char *startswith(const char *s, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

const char *endswith(const char *s, const char *suffix) {
        size_t n = strlen(s), m = strlen(suffix);

        return n >= m && memcmp(s + n - m, suffix, m) == 0 ? s + n - m : NULL;
}

int str_dup_nonempty(const char *s, char **ret) {
        char *copy = NULL;

        if (!isempty(s)) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

int str_replace(char **p, const char *s) {
        char *copy;
        int r = str_dup_nonempty(s, &copy);

        if (r < 0)
                return r;
        free(*p);
        *p = copy;
        return 0;
}

/* ---- struct buf ---- */

void buf_done(struct buf *b) {
        free(b->data);
        *b = (struct buf) BUF_EMPTY;
}

void buf_clear(struct buf *b) {
        b->size = 0;
        b->error = 0;
        if (b->data)
                b->data[0] = '\0';
}

int buf_reserve(struct buf *b, size_t more) {
        size_t needed, allocate;
        char *data;

        /* One byte more, always: for the NUL behind the text. */
        if (__builtin_add_overflow(b->size, more, &needed) || __builtin_add_overflow(needed, 1, &needed))
                return b->error = -ENOMEM;
        if (needed <= b->allocated)
                return 0;
        allocate = b->allocated ? b->allocated : 64;
        while (allocate < needed)
                if (__builtin_mul_overflow(allocate, 2, &allocate))
                        return b->error = -ENOMEM;
        data = realloc(b->data, allocate);
        if (!data)
                return b->error = -ENOMEM;
        b->data = data;
        b->allocated = allocate;
        return 0;
}

int buf_append(struct buf *b, const void *data, size_t size) {
        int r = buf_reserve(b, size);

        if (r < 0)
                return r;
        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
        b->data[b->size] = '\0';
        return 0;
}

int buf_append_str(struct buf *b, const char *s) {
        return buf_append(b, s, strlen(s));
}

int buf_append_char(struct buf *b, char c) {
        return buf_append(b, &c, 1);
}

int buf_printf(struct buf *b, const char *format, ...) {
        va_list ap;
        int n, r;

        va_start(ap, format);
        n = vsnprintf(NULL, 0, format, ap);
        va_end(ap);
        if (n < 0)
                return b->error = -ENOMEM;
        r = buf_reserve(b, (size_t) n);
        if (r < 0)
                return r;
        va_start(ap, format);
        vsnprintf(b->data + b->size, (size_t) n + 1, format, ap);
        va_end(ap);
        b->size += (size_t) n;
        return 0;
}

int buf_steal(struct buf *b, char **ret) {
        int r = b->error < 0 ? b->error : buf_reserve(b, 0);

        if (r < 0)
                return r;
        b->data[b->size] = '\0';
        *ret = b->data;
        *b = (struct buf) BUF_EMPTY;
        return 0;
}

void buf_consume(struct buf *b, size_t n) {
        if (n == 0)
                return;
        memmove(b->data, b->data + n, b->size - n);
        b->size -= n;
        b->data[b->size] = '\0';
}

char *str_escape(const char *s, size_t max_bytes) {
        static const char hex[] = "0123456789abcdef";
        AUTO_BUF struct buf b = BUF_EMPTY;
        char *ret = NULL;
        size_t i;

        for (i = 0; s[i] && i < max_bytes; i++) {
                uint8_t c = (uint8_t) s[i];
                char code[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

                if (c == '\\')
                        buf_append(&b, "\\\\", 2);
                else if (c < 0x20 || c > 0x7e)
                        buf_append(&b, code, sizeof(code));
                else
                        buf_append_char(&b, (char) c);
        }
        if (s[i])
                buf_append_str(&b, "...");
        return buf_steal(&b, &ret) < 0 ? NULL : ret;
}

/* ---- vectors ---- */

void strv_free(char **v) {
        for (char **p = v; p && *p; p++)
                free(*p);
        free(v);
}

size_t strv_length(char *const *v) {
        size_t n = 0;

        while (v && v[n])
                n++;
        return n;
}

int strv_extend(char ***v, const char *s) {
        size_t n = strv_length(*v);
        char *copy, **bigger;

        copy = strdup(s);
        if (!copy)
                return -ENOMEM;
        bigger = reallocarray(*v, n + 2, sizeof(*bigger));
        if (!bigger) {
                free(copy);
                return -ENOMEM;
        }
        bigger[n] = copy;
        bigger[n + 1] = NULL;
        *v = bigger;
        return 0;
}

bool strv_contains(char *const *v, const char *s) {
        for (; v && *v; v++)
                if (streq(*v, s))
                        return true;
        return false;
}
