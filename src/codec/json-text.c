/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON out (RFC 8259). Strings are checked for UTF-8 as they are written: a peer may refuse a whole message for one bad
 * byte, and names or os-release texts come from strangers. */
#include "codec/json-text.h"

#include <string.h>

static size_t utf8_length(const uint8_t *s) {
        size_t n = s[0] < 0x80             ? 1
                   : (s[0] & 0xe0) == 0xc0 ? 2
                   : (s[0] & 0xf0) == 0xe0 ? 3
                   : (s[0] & 0xf8) == 0xf0 ? 4
                                           : 0;
        uint32_t code = n <= 1 ? s[0] : s[0] & (0x7f >> n);

        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (s[i] & 0x3f);
        }
        if ((n == 2 && code < 0x80) || (n == 3 && code < 0x800) || (n == 4 && (code < 0x10000 || code > 0x10ffff)) ||
            (code >= 0xd800 && code < 0xe000))
                return 0;
        return n;
}

static void escape(struct buf *out, uint8_t c) {
        static const char hex[] = "0123456789abcdef";
        char code[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

        switch (c) {
        case '"':
                buf_append(out, "\\\"", 2);
                return;
        case '\\':
                buf_append(out, "\\\\", 2);
                return;
        case '\n':
                buf_append(out, "\\n", 2);
                return;
        case '\t':
                buf_append(out, "\\t", 2);
                return;
        default:
                buf_append(out, code, sizeof(code));
        }
}

static void quote(struct buf *out, const char *value) {
        const uint8_t *s = (const uint8_t *) value, *plain = s;

        buf_append_char(out, '"');
        while (*s) {
                size_t n = utf8_length(s);

                if (n > 0 && *s >= 0x20 && *s != '"' && *s != '\\' && *s != 0x7f) {
                        s += n;
                        continue;
                }
                buf_append(out, plain, (size_t) (s - plain));
                if (n == 0)
                        buf_append_str(out, "\xef\xbf\xbd");
                else
                        escape(out, *s);
                plain = ++s;
        }
        buf_append(out, plain, (size_t) (s - plain));
        buf_append_char(out, '"');
}

static void before_value(struct json_text *j, const char *key) {
        if (j->comma)
                buf_append_char(j->out, ',');
        j->comma = true;
        if (key) {
                quote(j->out, key);
                buf_append_char(j->out, ':');
        }
}

static void begin(struct json_text *j, const char *key, char bracket) {
        before_value(j, key);
        buf_append_char(j->out, bracket);
        j->comma = false;
}

static void end(struct json_text *j, char bracket) {
        buf_append_char(j->out, bracket);
        j->comma = true;
}

void json_text_begin_object(struct json_text *j, const char *key) {
        begin(j, key, '{');
}

void json_text_end_object(struct json_text *j) {
        end(j, '}');
}

void json_text_begin_array(struct json_text *j, const char *key) {
        begin(j, key, '[');
}

void json_text_end_array(struct json_text *j) {
        end(j, ']');
}

void json_text_string(struct json_text *j, const char *key, const char *value) {
        before_value(j, key);
        quote(j->out, value);
}

void json_text_unsigned(struct json_text *j, const char *key, uint64_t value) {
        char digits[20];
        size_t n = sizeof(digits);

        before_value(j, key);
        do
                digits[--n] = (char) ('0' + value % 10);
        while (value /= 10);
        buf_append(j->out, digits + n, sizeof(digits) - n);
}

void json_text_signed(struct json_text *j, const char *key, int64_t value) {
        if (value >= 0) {
                json_text_unsigned(j, key, (uint64_t) value);
                return;
        }
        before_value(j, key);
        buf_append_char(j->out, '-');
        j->comma = false;
        json_text_unsigned(j, NULL, 0 - (uint64_t) value);
}

void json_text_bool(struct json_text *j, const char *key, bool value) {
        before_value(j, key);
        buf_append_str(j->out, value ? "true" : "false");
}

void json_text_null(struct json_text *j, const char *key) {
        before_value(j, key);
        buf_append_str(j->out, "null");
}

void json_text_members(struct json_text *j, const char *text, size_t size) {
        before_value(j, NULL);
        buf_append(j->out, text, size);
}

void json_text_raw(struct json_text *j, const char *key, const char *text, size_t size) {
        before_value(j, key);
        buf_append(j->out, text, size);
}

void json_text_string_if(struct json_text *j, const char *key, const char *value) {
        if (!isempty(value))
                json_text_string(j, key, value);
}
