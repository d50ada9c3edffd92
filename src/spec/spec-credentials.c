/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials: ID:VALUE with the escapes of C, and ID:PATH. The values are secrets: no message shows one. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

#define ID_MAX 255
#define DATA_MAX (1024 * 1024)

static int wrong_credential(const struct setting *v, const char *id, const char *text) {
        AUTO_FREE char *shown = str_escape(id, 48);

        return diag_set(v->diag, -EINVAL, v->name, "%s=%s: %s", v->name, strempty(shown), text);
}

static bool credential_id_is_valid(const char *s) {
        return *s && strlen(s) <= ID_MAX && !strchr(s, '/') && !streq(s, ".") && !streq(s, "..") && value_is_text(s);
}

/* Splits at the first colon. *ret_rest: behind it. */
static int split_id(const struct spec *s, const struct setting *v, char **ret_id, const char **ret_rest) {
        const char *colon = strchr(v->value, ':');
        AUTO_FREE char *id = colon ? strndup(v->value, (size_t) (colon - v->value)) : NULL;

        if (!colon)
                return wrong_credential(v, v->value, "there must be a ':' between the name and the rest.");
        if (!id)
                return -ENOMEM;
        if (!credential_id_is_valid(id))
                return wrong_credential(v, id, "the name must be one of a file: 1 to 255 bytes without '/'.");
        if (s->n_credentials >= SPEC_LIST_MAX)
                return wrong_credential(v, id, "these are too many credentials.");
        for (size_t i = 0; i < s->n_credentials; i++)
                if (streq(s->credentials[i].id, id))
                        return wrong_credential(v, id, "there is a credential of this name already.");
        *ret_id = STEAL(id);
        *ret_rest = colon + 1;
        return 0;
}

static int digits(const char *s, size_t size, unsigned base, uint32_t *ret) {
        uint32_t n = 0;

        for (size_t i = 0; i < size; i++) {
                int c = s[i];
                unsigned digit = c >= '0' && c <= '9'   ? (unsigned) (c - '0')
                                 : c >= 'a' && c <= 'f' ? (unsigned) (c - 'a' + 10)
                                 : c >= 'A' && c <= 'F' ? (unsigned) (c - 'A' + 10)
                                                        : base;

                if (digit >= base)
                        return -EINVAL;
                n = n * base + digit;
        }
        *ret = n;
        return 0;
}

static int append_utf8(struct buf *out, uint32_t c) {
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return -EINVAL;
        if (c < 0x80)
                return buf_append_char(out, (char) c);
        if (c >= 0x10000)
                buf_append_char(out, (char) (0xf0 | c >> 18));
        if (c >= 0x800)
                buf_append_char(out, (char) (c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12));
        buf_append_char(out, (char) (c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
        return buf_append_char(out, (char) (0x80 | (c & 0x3f)));
}

/* The one escape at *s, behind the backslash. */
static int unescape_one(const char **s, struct buf *out) {
        static const char letters[] = "abfnrtvs\\\"'", values[] = "\a\b\f\n\r\t\v \\\"'";
        const char *letter = **s ? strchr(letters, **s) : NULL;
        size_t size = **s == 'x' ? 2 : **s == 'u' ? 4 : **s == 'U' ? 8 : 0;
        uint32_t c;

        if (letter) {
                (*s)++;
                return buf_append_char(out, values[letter - letters]);
        }
        if (size > 0) {
                bool byte = size == 2;

                if (digits(*s + 1, size, 16, &c) < 0)
                        return -EINVAL;
                *s += 1 + size;
                return byte ? buf_append_char(out, (char) c) : append_utf8(out, c);
        }
        if (digits(*s, 3, 8, &c) < 0 || c > 0xff)
                return -EINVAL;
        *s += 3;
        return buf_append_char(out, (char) c);
}

static int unescape(const char *s, struct buf *out) {
        while (*s) {
                int r = 0;

                if (*s != '\\') {
                        r = buf_append_char(out, *s++);
                } else {
                        s++;
                        r = unescape_one(&s, out);
                }
                if (r < 0)
                        return r;
        }
        return buf_error(out);
}

static int add_credential(struct spec *s, const struct spec_credential *c) {
        struct spec_credential *new = array_extend(&s->credentials, &s->n_credentials, sizeof(*new));

        if (!new)
                return -ENOMEM;
        *new = *c;
        return 0;
}

int set_credential(struct spec *s, const struct setting *v) {
        AUTO_BUF struct buf data = BUF_EMPTY;
        AUTO_FREE char *id = NULL, *bytes = NULL;
        const char *rest;
        size_t size;
        int r;

        r = split_id(s, v, &id, &rest);
        if (r < 0)
                return r;
        r = unescape(rest, &data);
        if (r == -EINVAL)
                return wrong_credential(v, id, "the value has a backslash that begins no escape of C.");
        if (r < 0)
                return r;
        size = data.size;
        if (size > DATA_MAX)
                return wrong_credential(v, id, "the value must not be larger than 1 MiB.");
        r = buf_steal(&data, &bytes);
        if (r < 0)
                return r;
        r = add_credential(s, &(struct spec_credential){ .id = id, .data = (unsigned char *) bytes, .size = size });
        if (r < 0)
                return r;
        id = bytes = NULL;
        return 0;
}

int set_credential_load(struct spec *s, const struct setting *v) {
        AUTO_FREE char *id = NULL, *path = NULL;
        const char *rest;
        int r;

        r = split_id(s, v, &id, &rest);
        if (r < 0)
                return r;
        if (*rest != '/' && !credential_id_is_valid(rest))
                return wrong_credential(v, id,
                                        "behind the ':' there must be an absolute path, or the name of a credential.");
        path = strdup(rest);
        if (!path)
                return -ENOMEM;
        r = add_credential(s, &(struct spec_credential){ .id = id, .path = path });
        if (r < 0)
                return r;
        id = path = NULL;
        return 0;
}
