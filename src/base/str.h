/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/str.h: strings: comparing, growing, making them safe to show. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* NULL equals only NULL. */
bool streq_ptr(const char *a, const char *b);

/* NULL and "" are the same nothing. */
static inline bool isempty(const char *s) {
        return !s || !*s;
}

static inline const char *strempty(const char *s) {
        return s ? s : "";
}

/* The rest of `s` behind `prefix`, or NULL. Borrowed from s. */
const char *startswith(const char *s, const char *prefix);
/* Where `suffix` begins in s, or NULL. Borrowed from s. */
const char *endswith(const char *s, const char *suffix);

/* Replaces *p by a copy of s (NULL and "" give NULL). -ENOMEM leaves *p untouched. */
int str_replace(char **p, const char *s);

/* strdup of s, or NULL in *ret when s is empty. -ENOMEM. */
int str_dup_nonempty(const char *s, char **ret);

/* A growing byte string. data is NUL-terminated whenever size > 0 or buf_terminate() ran.
 * After a failed append (-ENOMEM) the buffer stays valid and remembers it: buf_error(). */
struct buf {
        char *data;
        size_t size;
        size_t allocated;
        int error;
};

#define BUF_EMPTY \
        { NULL, 0, 0, 0 }

void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
int buf_reserve(struct buf *b, size_t more);
int buf_append(struct buf *b, const void *data, size_t size);
int buf_append_str(struct buf *b, const char *s);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* First error of any append since the last clear: 0 or -ENOMEM. */
static inline int buf_error(const struct buf *b) {
        return b->error;
}
/* Hands the NUL-terminated text to the caller; the buffer is empty again. -ENOMEM. */
int buf_steal(struct buf *b, char **ret);
/* Forgets the first n bytes (n <= size). */
void buf_consume(struct buf *b, size_t n);

#define AUTO_BUF __attribute__((cleanup(buf_done)))

/* A copy of s that is safe on a terminal and in a log line: bytes outside printable ASCII become \xHH,
 * a backslash is doubled; at most max_bytes of s are shown, then "...". NULL on out of memory. */
char *str_escape(const char *s, size_t max_bytes);

/* NULL-terminated vectors of strings. NULL is the empty vector. */
void strv_free(char **v);
size_t strv_length(char *const *v);
int strv_extend(char ***v, const char *s); /* copies s; -ENOMEM */
bool strv_contains(char *const *v, const char *s);
static inline void strv_freep(char ***v) {
        strv_free(*v);
}
