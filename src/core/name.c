/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names: syntax only. Rules and examples: the stock registry's, as clients rely on them (escaping included). */
#include "core/name.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"

#define PATH_MAX_BYTES 4096

static bool is_alnum(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool machine_name_is_valid(const char *s) {
        size_t n = 0;

        for (; s[n]; n++) {
                char before = n > 0 ? s[n - 1] : '.', after = s[n + 1];

                if (n >= MACHINE_NAME_MAX)
                        return false;
                if (is_alnum(s[n]))
                        continue;
                /* A dot ends a label, a hyphen stands inside one. */
                if (s[n] == '.' && is_alnum(before) && after)
                        continue;
                if (s[n] == '-' && before != '.' && after && after != '.')
                        continue;
                return false;
        }
        return n > 0;
}

static uint32_t fnv1a(const char *s) {
        uint32_t hash = 2166136261U;

        for (; *s; s++)
                hash = (hash ^ (uint8_t) *s) * 16777619U;
        return hash;
}

void machine_name_from(const char *foreign, char ret[static MACHINE_NAME_MAX + 1]) {
        static const char hex[] = "0123456789abcdef";
        const size_t room = MACHINE_NAME_MAX - 9; /* '-' and eight digits */
        uint32_t hash = fnv1a(foreign);
        size_t n = 0;

        if (machine_name_is_valid(foreign)) {
                strcpy(ret, foreign);
                return;
        }
        for (const char *c = foreign; *c && n < room; c++)
                if (is_alnum(*c))
                        ret[n++] = *c;
                else if (n > 0 && is_alnum(ret[n - 1])) /* no two separators in a row, none in front */
                        ret[n++] = *c == '.' ? '.' : '-';
        while (n > 0 && !is_alnum(ret[n - 1]))
                n--;
        if (n > 0)
                ret[n++] = '-';
        for (int shift = 28; shift >= 0; shift -= 4)
                ret[n++] = hex[hash >> shift & 15];
        ret[n] = '\0';
}

static void append_escaped(struct buf *b, char c) {
        static const char hex[] = "0123456789abcdef";
        char code[4] = { '\\', 'x', hex[(uint8_t) c >> 4], hex[(uint8_t) c & 15] };

        buf_append(b, code, sizeof(code));
}

int machine_scope_name(const char *name, char **ret) {
        AUTO_BUF struct buf b = BUF_EMPTY;

        buf_append_str(&b, "machine-");
        for (const char *c = name; *c; c++) {
                if (*c == '/')
                        buf_append_char(&b, '-');
                else if (is_alnum(*c) || *c == ':' || *c == '_' || (*c == '.' && c != name))
                        buf_append_char(&b, *c);
                else
                        append_escaped(&b, *c);
        }
        buf_append_str(&b, ".scope");
        return buf_steal(&b, ret);
}

/* size bytes of s, which need no NUL behind them. */
static bool is_unit_name(const char *s, size_t size, bool slices) {
        static const char *const suffixes[] = { ".service",   ".scope", ".socket", ".target", ".mount",
                                                ".automount", ".swap",  ".device", ".timer",  ".path" };
        size_t stem = 0;

        if (size == 0 || size > UNIT_NAME_MAX)
                return false;
        for (size_t i = 0; i < ELEMENTS(suffixes) && stem == 0; i++) {
                size_t n = strlen(suffixes[i]);

                if (size > n && memcmp(s + size - n, suffixes[i], n) == 0)
                        stem = size - n;
        }
        if (stem == 0 && slices && size > 6 && memcmp(s + size - 6, ".slice", 6) == 0)
                stem = size - 6;
        if (stem == 0 || s[0] == '@' || s[stem - 1] == '@')
                return false;
        for (size_t i = 0; i < size; i++)
                if (!is_alnum(s[i]) && !strchr(":-_.\\@", s[i]))
                        return false;
        return memchr(s, '\0', size) == NULL;
}

bool unit_name_is_valid(const char *s) {
        return is_unit_name(s, strlen(s), true);
}

static bool is_slice_name(const char *s, size_t size) {
        if (!is_unit_name(s, size, true) || size <= 6 || memcmp(s + size - 6, ".slice", 6) != 0)
                return false;
        if (size == 7 && s[0] == '-')
                return true;
        /* Dashes nest: none outside, never two in a row. */
        for (size_t i = 0; i < size - 6; i++)
                if (s[i] == '-' && (i == 0 || s[i + 1] == '-' || s[i + 1] == '.'))
                        return false;
        return memchr(s, '@', size) == NULL;
}

bool slice_name_is_valid(const char *s) {
        return is_slice_name(s, strlen(s));
}

int slice_path(const char *slice, char **ret) {
        AUTO_BUF struct buf b = BUF_EMPTY;
        size_t stem;

        if (!slice_name_is_valid(slice))
                return -EINVAL;
        if (streq(slice, "-.slice"))
                return buf_steal(&b, ret);
        stem = strlen(slice) - 6;
        for (size_t i = 1; i <= stem; i++) {
                if (i < stem && slice[i] != '-')
                        continue;
                buf_append(&b, slice, i);
                buf_append_str(&b, i < stem ? ".slice/" : ".slice");
        }
        return buf_steal(&b, ret);
}

/* The unit in one path component: an underscore may stand in front of a name that the kernel would misread. */
static const char *component_unit(const char *s, size_t *size) {
        if (*size > 0 && s[0] == '_') {
                s++;
                (*size)--;
        }
        return is_unit_name(s, *size, false) ? s : NULL;
}

int cgroup_path_to_unit(const char *path, const char *root, char **ret_unit, char **ret_subgroup) {
        AUTO_FREE char *unit = NULL;
        size_t n = strlen(root);
        const char *rest = path, *found;
        char *subgroup = NULL;

        if (n > 1 && strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0'))
                rest = path + n;
        for (;;) {
                rest += strspn(rest, "/");
                n = strcspn(rest, "/");
                if (n == 0)
                        return -ENXIO;
                if (!is_slice_name(rest, n))
                        break;
                rest += n;
        }
        found = component_unit(rest, &n);
        if (!found)
                return -ENXIO;
        unit = strndup(found, n);
        if (!unit)
                return -ENOMEM;
        rest = found + n;
        rest += strspn(rest, "/");
        if (*rest) {
                subgroup = strdup(rest);
                if (!subgroup)
                        return -ENOMEM;
                for (n = strlen(subgroup); n > 0 && subgroup[n - 1] == '/'; n--)
                        subgroup[n - 1] = '\0';
        }
        *ret_unit = STEAL(unit);
        *ret_subgroup = subgroup;
        return 0;
}

bool path_is_absolute(const char *s) {
        size_t size = strlen(s);

        if (s[0] != '/' || size >= PATH_MAX_BYTES)
                return false;
        for (const char *p = s; *p; p++)
                if ((uint8_t) *p < 0x20 || *p == 0x7f)
                        return false;
        return true;
}

bool path_is_absolute_and_valid(const char *s) {
        if (!path_is_absolute(s))
                return false;
        for (const char *p = s; *p;) {
                size_t n;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return false;
                p += n;
        }
        return true;
}

/* Length of the UTF-8 sequence at s (RFC 3629), 0 when it is none. The text ends with a NUL, so no byte behind it is read. */
static size_t utf8_sequence(const uint8_t *s) {
        size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
            (s[0] == 0xf4 && s[1] > 0x8f))
                return 0;
        return n;
}

bool text_is_valid(const char *s, size_t max) {
        const uint8_t *p = (const uint8_t *) s;
        size_t n;

        if (strlen(s) > max)
                return false;
        for (; *p; p += n) {
                n = utf8_sequence(p);
                if (n == 0 || *p < 0x20 || *p == 0x7f || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0))
                        return false;
        }
        return true;
}

bool image_name_is_valid(const char *s) {
        if (isempty(s) || streq(s, ".") || streq(s, "..") || strncmp(s, ".#", 2) == 0 || strchr(s, '/'))
                return false;
        return text_is_valid(s, IMAGE_NAME_MAX);
}
