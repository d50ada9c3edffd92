/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Assignments as stock readers and writers of state files and os-release understand them (registry.md 8.2, os-release(5)):
 * a value may switch between bare, '...' and "..." parts; a newline inside quotes belongs to the value. */
#include "codec/envfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct scanner {
        const char *p, *end;
        struct buf key, value;
        size_t keep; /* bytes of value that trailing blanks are not cut from */
};

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

static bool is_key_char(char c, bool first) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static void skip_line(struct scanner *s) {
        while (s->p < s->end && *s->p != '\n')
                s->p++;
        if (s->p < s->end)
                s->p++;
}

/* "KEY=" at the start of a line. 1, 0: this line is no assignment. */
static int scan_key(struct scanner *s) {
        const char *start;

        buf_clear(&s->key);
        while (s->p < s->end && is_blank(*s->p))
                s->p++;
        for (start = s->p; s->p < s->end && is_key_char(*s->p, s->p == start);)
                s->p++;
        buf_append(&s->key, start, (size_t) (s->p - start));
        if (s->key.size == 0 || s->p == s->end || *s->p != '=')
                return 0;
        s->p++;
        return 1;
}

static void put(struct scanner *s, char c) {
        buf_append_char(&s->value, c);
}

static void scan_single_quoted(struct scanner *s) {
        while (s->p < s->end && *s->p != '\'')
                put(s, *s->p++);
        if (s->p < s->end)
                s->p++;
        s->keep = s->value.size;
}

static void scan_double_quoted(struct scanner *s) {
        for (; s->p < s->end && *s->p != '"'; s->p++) {
                if (*s->p == '\\' && s->p + 1 < s->end) {
                        char next = s->p[1];

                        if (next == '\n') { /* continued on the next line */
                                s->p++;
                                continue;
                        }
                        if (strchr("\"\\`$", next) && next)
                                s->p++;
                }
                put(s, *s->p);
        }
        if (s->p < s->end)
                s->p++;
        s->keep = s->value.size;
}

/* What stands for itself, from the character before s->p on: nearly all there is, so it is taken as a whole. */
static void scan_bare(struct scanner *s) {
        const char *start = s->p - 1;

        while (s->p < s->end && *s->p != '\n' && *s->p != '\'' && *s->p != '"' && *s->p != '\\')
                s->p++;
        buf_append(&s->value, start, (size_t) (s->p - start));
}

static void scan_value(struct scanner *s) {
        buf_clear(&s->value);
        s->keep = 0;
        while (s->p < s->end && is_blank(*s->p))
                s->p++;
        while (s->p < s->end && *s->p != '\n') {
                char c = *s->p++;

                if (c == '\'') {
                        scan_single_quoted(s);
                } else if (c == '"') {
                        scan_double_quoted(s);
                } else if (c == '\\' && s->p < s->end) {
                        if (*s->p != '\n')
                                put(s, *s->p);
                        s->p++;
                        s->keep = s->value.size;
                } else {
                        scan_bare(s);
                }
        }
        if (s->p < s->end)
                s->p++;
        while (s->value.size > s->keep && is_blank(s->value.data[s->value.size - 1]))
                s->value.data[--s->value.size] = '\0';
}

int envfile_parse(const char *text, size_t size, int (*line)(void *userdata, const char *key, const char *value),
                  void *userdata) {
        struct scanner s = { .p = text, .end = text + size, .key = BUF_EMPTY, .value = BUF_EMPTY };
        int r = 0;

        if (size > 0 && memchr(text, '\0', size))
                return -EBADMSG;
        while (r == 0 && s.p < s.end) {
                if (!scan_key(&s)) {
                        skip_line(&s);
                        continue;
                }
                scan_value(&s);
                if (buf_error(&s.key) < 0 || buf_error(&s.value) < 0 || buf_reserve(&s.value, 0) < 0)
                        r = -ENOMEM;
                else
                        r = line(userdata, s.key.data, s.value.size ? s.value.data : "");
        }
        buf_done(&s.key);
        buf_done(&s.value);
        return r;
}

static bool needs_quotes(const char *value) {
        for (const char *c = value; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == 0x7f || strchr("\"\\`$*?['()<>|&;!", *c))
                        return true;
        return false;
}

int envfile_append(struct buf *out, const char *key, const char *value) {
        buf_append_str(out, key);
        buf_append_char(out, '=');
        if (!needs_quotes(value)) {
                buf_append_str(out, value);
        } else {
                buf_append_char(out, '"');
                for (const char *c = value; *c; c++) {
                        if (strchr("\"\\`$", *c))
                                buf_append_char(out, '\\');
                        buf_append_char(out, *c);
                }
                buf_append_char(out, '"');
        }
        buf_append_char(out, '\n');
        return buf_error(out);
}
