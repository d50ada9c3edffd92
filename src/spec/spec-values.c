/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/spec-values.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"

#define SHOWN_MAX 48 /* bytes of a wrong value that are shown */
#define HOST_NAME_SIZE_MAX 64

static int wrong(const struct setting *v, const char *word, const char *format, va_list ap) {
        char text[sizeof(v->diag->text)];
        AUTO_FREE char *shown = str_escape(word, SHOWN_MAX);

        vsnprintf(text, sizeof(text), format, ap);
        return diag_set(v->diag, -EINVAL, v->name, "%s=%s: %s", v->name, strempty(shown), text);
}

int value_wrong(const struct setting *v, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = wrong(v, strempty(v->value), format, ap);
        va_end(ap);
        return r;
}

int value_wrong_word(const struct setting *v, const char *word, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = wrong(v, word, format, ap);
        va_end(ap);
        return r;
}

int value_list_wrong(const struct setting *v, int r, const char *right) {
        if (r == -ENOMEM)
                return r;
        if (r == -E2BIG)
                return value_wrong(v, "these are too many, there may be %d.", SPEC_LIST_MAX);
        return value_wrong(v, "must be %s.", right);
}

int value_bool(const char *s, bool *ret) {
        char lower[8];
        size_t size = strlen(s);

        if (size >= sizeof(lower))
                return -EINVAL;
        for (size_t i = 0; i <= size; i++)
                lower[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char) (s[i] | 0x20) : s[i];
        return parse_bool(lower, ret);
}

int value_word(const struct setting *v, int (*from_string)(const char *), const char *right) {
        int number = from_string(v->value);

        return number >= 0 ? number : value_wrong(v, "must be %s.", right);
}

int value_size(const char *s, uint64_t *ret) {
        static const char suffixes[] = "KMGTPE";
        size_t digits = strspn(s, "0123456789");
        const char *suffix = s[digits] ? strchr(suffixes, s[digits]) : NULL;
        char number[24];
        uint64_t size;
        int r;

        if (s[digits] && (!suffix || s[digits + 1]))
                return -EINVAL;
        if (digits >= sizeof(number))
                return -ERANGE;
        memcpy(number, s, digits);
        number[digits] = '\0';
        r = parse_u64(number, &size);
        if (r < 0)
                return r;
        if (suffix && __builtin_mul_overflow(size, UINT64_C(1) << (10 * (suffix - suffixes + 1)), &size))
                return -ERANGE;
        *ret = size;
        return 0;
}

int value_path(const char *s, char **ret) {
        AUTO_FREE char *path = NULL;
        size_t n = 0;

        if (*s != '/' || strlen(s) >= PATH_MAX || !value_is_text(s))
                return -EINVAL;
        path = malloc(strlen(s) + 2);
        if (!path)
                return -ENOMEM;
        while (*s) {
                size_t size;

                s += strspn(s, "/");
                size = strcspn(s, "/");
                if (size == 2 && strncmp(s, "..", 2) == 0)
                        return -EINVAL;
                if (size > 0 && !(size == 1 && *s == '.')) {
                        path[n++] = '/';
                        memcpy(path + n, s, size);
                        n += size;
                }
                s += size;
        }
        if (n == 0)
                path[n++] = '/';
        path[n] = '\0';
        *ret = STEAL(path);
        return 0;
}

bool path_is_normalised(const char *s) {
        if (*s != '/' || strlen(s) >= PATH_MAX || !value_is_text(s))
                return false;
        while (*s) {
                size_t size = strcspn(++s, "/");

                if ((size == 0 && *s) || (size == 1 && *s == '.') || (size == 2 && s[0] == '.' && s[1] == '.'))
                        return false;
                s += size;
        }
        return true;
}

bool path_is_root(const char *s) {
        if (*s != '/')
                return false;
        while (*s) {
                size_t size = strcspn(++s, "/");

                if (size > 2 || strspn(s, ".") < size)
                        return false;
                s += size;
        }
        return true;
}

static int take_word(const char **s, const char *separators, bool quotes, struct buf *word) {
        char quote = 0;

        for (; **s && (quote || !strchr(separators, **s)); (*s)++) {
                if (quotes && !quote && (**s == '"' || **s == '\''))
                        quote = **s;
                else if (quote && **s == quote)
                        quote = 0;
                else
                        buf_append_char(word, **s);
        }
        return quote ? -EINVAL : 0;
}

int value_words(const char *s, const char *separators, bool quotes, char ***ret) {
        AUTO(strv_freep) char **words = NULL;

        for (size_t n = 0;; n++) {
                AUTO_BUF struct buf word = BUF_EMPTY;
                int r;

                s += strspn(s, separators);
                if (!*s)
                        break;
                if (n == SPEC_LIST_MAX)
                        return -E2BIG;
                r = take_word(&s, separators, quotes, &word);
                if (r < 0)
                        return r;
                if (buf_error(&word) < 0 || strv_extend(&words, word.size ? word.data : "") < 0)
                        return -ENOMEM;
        }
        *ret = STEAL(words);
        return 0;
}

int value_fields(const char *s, char ***ret) {
        AUTO(strv_freep) char **fields = NULL;

        for (size_t n = 0;; n++) {
                AUTO_BUF struct buf field = BUF_EMPTY;

                if (n == SPEC_LIST_MAX)
                        return -E2BIG;
                for (; *s && *s != ':'; s++) {
                        if (*s == '\\' && (s[1] == ':' || s[1] == '\\'))
                                s++;
                        buf_append_char(&field, *s);
                }
                if (buf_error(&field) < 0 || strv_extend(&fields, field.size ? field.data : "") < 0)
                        return -ENOMEM;
                if (!*s)
                        break;
                s++;
        }
        *ret = STEAL(fields);
        return 0;
}

bool host_name_is_valid(const char *s) {
        char before = '.';

        if (!*s || strlen(s) > HOST_NAME_SIZE_MAX)
                return false;
        for (; *s; before = *s++) {
                if (*s == '.') {
                        if (before == '.' || before == '-')
                                return false;
                } else if (*s == '-') {
                        if (before == '.')
                                return false;
                } else if (!is_alnum(*s)) {
                        return false;
                }
        }
        return before != '.' && before != '-';
}

/* How many bytes the UTF-8 character at s has; 0: it is none. */
static size_t utf8_size(const unsigned char *s) {
        size_t size = s[0] < 0x80             ? 1
                      : (s[0] & 0xe0) == 0xc0 ? 2
                      : (s[0] & 0xf0) == 0xe0 ? 3
                      : (s[0] & 0xf8) == 0xf0 ? 4
                                              : 0;
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        uint32_t c = size > 1 ? s[0] & (0x7fU >> size) : s[0];

        for (size_t i = 1; i < size; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (size > 1 && (c < smallest[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)))
                return 0;
        return size;
}

bool text_is_utf8(const char *s) {
        const unsigned char *p = (const unsigned char *) s;

        while (*p) {
                size_t size = utf8_size(p);

                if (size == 0)
                        return false;
                p += size;
        }
        return true;
}

bool value_is_text(const char *s) {
        const unsigned char *p = (const unsigned char *) s;

        while (*p) {
                size_t size = utf8_size(p);

                if (size == 0 || *p < ' ' || *p == 0x7f)
                        return false;
                p += size;
        }
        return true;
}

void *array_extend(void *array_pointer, size_t *n, size_t element_size) {
        void **array = array_pointer;

        if (*n >= SPEC_LIST_MAX)
                return NULL;
        if ((*n & (*n - 1)) == 0) { /* full: there is room for the next power of two */
                void *grown = realloc(*array, (*n > 0 ? 2 * *n : 1) * element_size);

                if (!grown)
                        return NULL;
                *array = grown;
        }
        return memset((char *) *array + (*n)++ * element_size, 0, element_size);
}
