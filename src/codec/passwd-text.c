/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/passwd-text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"

#define FIELDS_MAX 7
#define LINE_MAX_BYTES 65536

/* The next line without its newline, copied; NULL at the end. -ENOMEM through *error. Lines that are too long, or hold a NUL byte,
 * are skipped. */
static char *next_line(const char **text, size_t *size, int *error) {
        while (*size > 0) {
                const char *end = memchr(*text, '\n', *size);
                size_t n = end ? (size_t) (end - *text) : *size;
                const char *line = *text;
                char *copy;

                *text += n + (end ? 1 : 0);
                *size -= n + (end ? 1 : 0);
                if (n == 0 || n > LINE_MAX_BYTES || memchr(line, '\0', n))
                        continue;
                copy = strndup(line, n);
                if (!copy)
                        *error = -ENOMEM;
                return copy;
        }
        return NULL;
}

static int dup_path(const char *s, char **ret) {
        *ret = NULL;
        if (*s != '/')
                return 0;
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

static int take(char *fields[], struct passwd_entry *ret) {
        struct passwd_entry e = { 0 };

        if (parse_u32(fields[2], &e.uid) < 0 || parse_u32(fields[3], &e.gid) < 0 || e.uid == UINT32_MAX ||
            e.gid == UINT32_MAX)
                return -EINVAL;
        if (dup_path(fields[5], &e.home) < 0 || dup_path(fields[6], &e.shell) < 0) {
                passwd_entry_done(&e);
                return -ENOMEM;
        }
        *ret = e;
        return 0;
}

static int find(const char *text, size_t size, size_t field, const char *value, struct passwd_entry *ret) {
        int error = 0;

        for (;;) {
                AUTO_FREE char *line = next_line(&text, &size, &error);
                char *fields[FIELDS_MAX + 1], *rest = line;
                size_t n = 0;
                int r;

                if (!line)
                        return error < 0 ? error : -ENOENT;
                while (rest && n < ELEMENTS(fields))
                        fields[n++] = strsep(&rest, ":");
                if (n != FIELDS_MAX || !streq(fields[field], value))
                        continue;
                r = take(fields, ret);
                if (r != -EINVAL)
                        return r;
        }
}

int passwd_find(const char *text, size_t size, const char *name, struct passwd_entry *ret) {
        uint32_t uid;
        int r = find(text, size, 0, name, ret);

        if (r == -ENOENT && parse_u32(name, &uid) == 0)
                r = find(text, size, 2, name, ret);
        return r;
}

int passwd_name_of(const char *text, size_t size, uint32_t uid, char **ret) {
        int error = 0;

        for (;;) {
                AUTO_FREE char *line = next_line(&text, &size, &error);
                char *rest = line, *name;
                uint32_t number;

                if (!line)
                        return error < 0 ? error : -ENOENT;
                name = strsep(&rest, ":");
                strsep(&rest, ":");
                if (!rest || !*name || parse_u32(strsep(&rest, ":"), &number) < 0 || number != uid)
                        continue;
                *ret = strdup(name);
                return *ret ? 0 : -ENOMEM;
        }
}

void passwd_entry_done(struct passwd_entry *e) {
        free(e->home);
        free(e->shell);
        *e = (struct passwd_entry){ 0 };
}

static bool lists(char *members, const char *name) {
        for (char *rest = members, *word; (word = strsep(&rest, ","));)
                if (streq(word, name))
                        return true;
        return false;
}

static int add(uint32_t **v, size_t *n, size_t max, uint32_t gid) {
        uint32_t *bigger;

        for (size_t i = 0; i < *n; i++)
                if ((*v)[i] == gid)
                        return 0;
        if (*n == max)
                return -E2BIG;
        bigger = reallocarray(*v, *n + 1, sizeof(**v));
        if (!bigger)
                return -ENOMEM;
        bigger[(*n)++] = gid;
        *v = bigger;
        return 0;
}

int group_list(const char *text, size_t size, const char *name, size_t max, uint32_t **ret, size_t *ret_n) {
        AUTO_FREE uint32_t *v = NULL;
        size_t n = 0;
        int error = 0, r = 0;

        while (r >= 0) {
                AUTO_FREE char *line = next_line(&text, &size, &error);
                char *fields[5], *rest = line;
                size_t fields_n = 0;
                uint32_t gid;

                if (!line)
                        break;
                while (rest && fields_n < ELEMENTS(fields))
                        fields[fields_n++] = strsep(&rest, ":");
                if (fields_n == 4 && parse_u32(fields[2], &gid) == 0 && gid != UINT32_MAX && lists(fields[3], name))
                        r = add(&v, &n, max, gid);
        }
        if (r < 0 || error < 0)
                return r < 0 ? r : error;
        *ret = STEAL(v);
        *ret_n = n;
        return 0;
}
