/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/resolve-json.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "core/name.h"

#define LABEL_MAX 63
#define NAME_MAX_BYTES 253
#define FAMILY_IPV4 2 /* AF_INET of every architecture */

bool resolve_question_is_valid(const char *name) {
        if (strlen(name) > NAME_MAX_BYTES)
                return false;
        for (size_t n; *name; name += n + (name[n] == '.')) {
                n = strcspn(name, ".");
                if (n == 0 || n > LABEL_MAX)
                        return false;
        }
        return true;
}

bool resolve_name_is_valid(const char *name) {
        return machine_name_is_valid(name) && resolve_question_is_valid(name);
}

static void append_base64(struct buf *out, const uint8_t *p, size_t size) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        for (size_t i = 0; i < size; i += 3) {
                uint32_t v = (uint32_t) p[i] << 16 | (i + 1 < size ? (uint32_t) p[i + 1] << 8 : 0) |
                             (i + 2 < size ? p[i + 2] : 0);

                buf_append_char(out, digits[v >> 18]);
                buf_append_char(out, digits[v >> 12 & 63]);
                buf_append_char(out, i + 1 < size ? digits[v >> 6 & 63] : '=');
                buf_append_char(out, i + 2 < size ? digits[v & 63] : '=');
        }
}

static uint8_t *put16(uint8_t *p, unsigned value) {
        *p++ = (uint8_t) (value >> 8);
        *p++ = (uint8_t) value;
        return p;
}

/* The record in wire format; its size. */
static size_t make_wire(const char *name, unsigned type, const uint8_t *bytes, size_t n_bytes,
                        uint8_t ret[static MACHINE_NAME_MAX + 2 + 10 + 16]) {
        uint8_t *p = ret;

        for (size_t n; *name; name += n + (name[n] == '.')) {
                n = strcspn(name, ".");
                *p++ = (uint8_t) n;
                memcpy(p, name, n);
                p += n;
        }
        *p++ = 0;
        p = put16(p, type);
        p = put16(p, RESOLVE_CLASS_IN);
        p = put16(put16(p, 0), 0); /* time to live */
        p = put16(p, (unsigned) n_bytes);
        memcpy(p, bytes, n_bytes);
        return (size_t) (p - ret) + n_bytes;
}

void resolve_json_add(struct json_text *j, const char *name, const struct address *a) {
        unsigned type = a->family == FAMILY_IPV4 ? RESOLVE_TYPE_A : RESOLVE_TYPE_AAAA;
        size_t n_bytes = type == RESOLVE_TYPE_A ? 4 : 16;
        uint8_t wire[MACHINE_NAME_MAX + 2 + 10 + 16];
        AUTO_BUF struct buf raw = BUF_EMPTY;

        assert(resolve_name_is_valid(name));
        append_base64(&raw, wire, make_wire(name, type, a->bytes, n_bytes, wire));
        json_text_begin_object(j, NULL);
        json_text_begin_object(j, "rr");
        json_text_begin_object(j, "key");
        json_text_unsigned(j, "class", RESOLVE_CLASS_IN);
        json_text_unsigned(j, "type", type);
        json_text_string(j, "name", name);
        json_text_end_object(j);
        json_text_begin_array(j, "address");
        for (size_t i = 0; i < n_bytes; i++)
                json_text_unsigned(j, NULL, a->bytes[i]);
        json_text_end_array(j);
        json_text_end_object(j);
        json_text_string(j, "raw", buf_error(&raw) < 0 ? "" : raw.data);
        if (buf_error(&raw) < 0)
                j->out->error = buf_error(&raw);
        json_text_end_object(j);
}

/* 1: *ret is filled. 0: not an address. */
static int decode_record(const json_t *entry, struct view_address *ret) {
        const json_t *rr = json_object_get(entry, "rr"), *key = json_object_get(rr, "key");
        json_int_t type = json_integer_value(json_object_get(key, "type"));
        const json_t *bytes = json_object_get(rr, "address");
        struct view_address a = { .family = type == RESOLVE_TYPE_A ? VIEW_INET : VIEW_INET6 };

        if (type != RESOLVE_TYPE_A && type != RESOLVE_TYPE_AAAA)
                return 0;
        if (json_array_size(bytes) != (type == RESOLVE_TYPE_A ? 4 : 16))
                return -EBADMSG;
        for (size_t i = 0; i < json_array_size(bytes); i++) {
                const json_t *byte = json_array_get(bytes, i);

                if (!json_is_integer(byte) || json_integer_value(byte) < 0 || json_integer_value(byte) > 255)
                        return -EBADMSG;
                a.bytes[i] = (uint8_t) json_integer_value(byte);
        }
        *ret = a;
        return 1;
}

int resolve_answer_decode(const struct varlink_answer *answer, struct view_address **ret, size_t *ret_n) {
        const json_t *list = json_object_get(answer->parameters, "answer");
        AUTO_FREE struct view_address *found = NULL;
        size_t n = 0;

        if (!json_is_integer(json_object_get(answer->parameters, "rcode")) ||
            json_integer_value(json_object_get(answer->parameters, "rcode")) != 0)
                return 0;
        if (!json_is_array(list) || json_array_size(list) > MACHINE_VIEW_ADDRESSES_MAX)
                return -EBADMSG;
        found = calloc(json_array_size(list) + 1, sizeof(*found));
        if (!found)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(list); i++) {
                int r = decode_record(json_array_get(list, i), found + n);

                if (r < 0)
                        return r;
                n += (size_t) r;
        }
        *ret = STEAL(found);
        *ret_n = n;
        return 1;
}
