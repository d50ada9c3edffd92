/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both directions of the helper's packets. Written byte by byte: a struct on the wire would have holes and an
 * alignment. */
#include "codec/helper-protocol.h"

#include <errno.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/utf8.h"

#define QUESTION_MAGIC 0x3151484dU /* "MHQ1" */
#define ANSWER_MAGIC 0x3141484dU   /* "MHA1" */
#define ANSWER_HEAD_SIZE ((size_t) 24)
#define ADDRESS_SIZE ((size_t) 24)
#define BOTH_HEAD_SIZE ((size_t) 16)
#define ERRNO_MAX 4095 /* of the kernel's own */
#define FAMILY_IPV4 2  /* AF_INET, AF_INET6: this half includes no socket headers */
#define FAMILY_IPV6 10

static bool kind_is_valid(uint64_t kind) {
        return kind >= HELPER_ADDRESSES && kind < _HELPER_KIND_MAX;
}

/* ---- questions ---- */

void helper_question_encode(const struct helper_question *q, uint8_t ret[static HELPER_QUESTION_SIZE]) {
        memset(ret, 0, HELPER_QUESTION_SIZE);
        bytes_put(ret, QUESTION_MAGIC, 4);
        bytes_put(ret + 4, q->kind, 1);
        bytes_put(ret + 5, q->flags, 1);
        bytes_put(ret + 8, q->number, 8);
        bytes_put(ret + 16, (uint32_t) q->pid, 4);
        bytes_put(ret + 20, (uint32_t) q->signal, 4);
        bytes_put(ret + 24, q->id, 8);
        bytes_put(ret + 32, q->start, 8);
        bytes_put(ret + 40, q->uid, 4);
}

/* A host has no process to name, and is never killed. */
static bool question_is_valid(const struct helper_question *q) {
        if (!kind_is_valid(q->kind) || (q->flags & ~HELPER_HOST))
                return false;
        if (q->kind == HELPER_KILL_TREE ? q->signal < 1 || q->signal > 64 || q->uid == (uid_t) -1
                                        : q->signal != 0 || q->uid != 0)
                return false;
        if (q->flags & HELPER_HOST)
                return q->pid == 0 && q->id == 0 && q->start == 0 && q->kind != HELPER_KILL_TREE;
        return q->pid > 0;
}

int helper_question_decode(const uint8_t *data, size_t size, struct helper_question *ret) {
        struct helper_question q;

        if (size != HELPER_QUESTION_SIZE || bytes_get(data, 4) != QUESTION_MAGIC || bytes_get(data + 6, 2) != 0)
                return -EBADMSG;
        q = (struct helper_question){
                .kind = (enum helper_kind) data[4],
                .flags = data[5],
                .number = bytes_get(data + 8, 8),
                .pid = (pid_t) (int32_t) bytes_get(data + 16, 4),
                .signal = (int32_t) bytes_get(data + 20, 4),
                .id = bytes_get(data + 24, 8),
                .start = bytes_get(data + 32, 8),
                .uid = (uid_t) bytes_get(data + 40, 4),
        };
        if (!question_is_valid(&q))
                return -EBADMSG;
        *ret = q;
        return 0;
}

/* ---- strings ---- */

static bool is_name(uint8_t c, bool first) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

bool helper_string_is_valid(const char *s, size_t size) {
        const uint8_t *p = (const uint8_t *) s;
        size_t i = 0, n;

        while (i < size && is_name(p[i], i == 0))
                i++;
        if (i == 0 || i == size || p[i] != '=')
                return false;
        for (; i < size; i += n) {
                n = utf8_printable(s + i, size - i);
                if (n == 0)
                        return false;
        }
        return true;
}

/* ---- answers ---- */

static size_t encode_addresses(const struct helper_answer *a, uint8_t *out) {
        for (size_t i = 0; i < a->n_addresses; i++, out += ADDRESS_SIZE) {
                bytes_put(out, (uint32_t) a->addresses[i].ifindex, 4);
                bytes_put(out + 4, (uint32_t) a->addresses[i].family, 4);
                memset(out + 8, 0, 16);
                memcpy(out + 8, a->addresses[i].bytes, a->addresses[i].family == FAMILY_IPV4 ? 4 : 16);
        }
        return a->n_addresses * ADDRESS_SIZE;
}

static int encode_strings(const struct helper_answer *a, uint8_t *out, size_t room, size_t *ret_size) {
        size_t size = 0;

        for (size_t i = 0; i < a->n_strings; i++) {
                size_t n = strlen(a->strings[i]) + 1;

                if (n > room - size)
                        return -EMSGSIZE;
                memcpy(out + size, a->strings[i], n);
                size += n;
        }
        *ret_size = size;
        return 0;
}

static int encode_both(const struct helper_answer *a, uint8_t *out, size_t room, size_t *ret_count, size_t *ret_size) {
        size_t n_addresses = a->addresses_error == 0 ? a->n_addresses : 0, size = BOTH_HEAD_SIZE, more = 0;

        if (n_addresses > HELPER_ADDRESSES_MAX || a->n_strings > HELPER_STRINGS_MAX)
                return -EMSGSIZE;
        bytes_put(out, (uint32_t) a->addresses_error, 4);
        bytes_put(out + 4, (uint32_t) a->os_release_error, 4);
        bytes_put(out + 8, a->os_release_error == 0 ? a->n_strings : 0, 4);
        bytes_put(out + 12, 0, 4);
        if (n_addresses > 0)
                size += encode_addresses(a, out + size);
        if (a->os_release_error == 0 && encode_strings(a, out + size, room - size, &more) < 0)
                return -EMSGSIZE;
        *ret_count = n_addresses;
        *ret_size = size + more;
        return 0;
}

int helper_answer_encode(const struct helper_answer *a, uint8_t *out, size_t *ret_size) {
        size_t count = 0, size = 0;
        int r;

        if (a->error == 0 && a->kind == HELPER_ADDRESSES) {
                count = a->n_addresses;
                if (count > HELPER_ADDRESSES_MAX || count * ADDRESS_SIZE > HELPER_ANSWER_MAX - ANSWER_HEAD_SIZE)
                        return -EMSGSIZE;
                size = encode_addresses(a, out + ANSWER_HEAD_SIZE);
        } else if (a->error == 0 && a->kind == HELPER_OS_RELEASE) {
                count = a->n_strings;
                if (count > HELPER_STRINGS_MAX)
                        return -EMSGSIZE;
                r = encode_strings(a, out + ANSWER_HEAD_SIZE, HELPER_ANSWER_MAX - ANSWER_HEAD_SIZE, &size);
                if (r < 0)
                        return r;
        } else if (a->error == 0 && a->kind == HELPER_BOTH) {
                r = encode_both(a, out + ANSWER_HEAD_SIZE, HELPER_ANSWER_MAX - ANSWER_HEAD_SIZE, &count, &size);
                if (r < 0)
                        return r;
        }
        memset(out, 0, ANSWER_HEAD_SIZE);
        bytes_put(out, ANSWER_MAGIC, 4);
        bytes_put(out + 4, a->kind, 1);
        bytes_put(out + 8, a->number, 8);
        bytes_put(out + 16, (uint32_t) a->error, 4);
        bytes_put(out + 20, count, 4);
        *ret_size = ANSWER_HEAD_SIZE + size;
        return 0;
}

static int decode_addresses(const uint8_t *data, size_t size, size_t count, struct helper_answer *ret) {
        static const uint8_t zero[12];

        if (count > HELPER_ADDRESSES_MAX || size != count * ADDRESS_SIZE)
                return -EBADMSG;
        for (size_t i = 0; i < count; i++, data += ADDRESS_SIZE) {
                struct address *address = &ret->addresses[i];

                *address = (struct address){
                        .ifindex = (int32_t) bytes_get(data, 4),
                        .family = (int32_t) bytes_get(data + 4, 4),
                };
                if (address->ifindex <= 0 || (address->family != FAMILY_IPV4 && address->family != FAMILY_IPV6))
                        return -EBADMSG;
                if (address->family == FAMILY_IPV4 && memcmp(data + 12, zero, sizeof(zero)) != 0)
                        return -EBADMSG;
                memcpy(address->bytes, data + 8, 16);
        }
        ret->n_addresses = count;
        return 0;
}

static int decode_strings(uint8_t *data, size_t size, size_t count, struct helper_answer *ret) {
        if (count > HELPER_STRINGS_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < count; i++) {
                uint8_t *end = memchr(data, 0, size);

                if (!end || !helper_string_is_valid((const char *) data, (size_t) (end - data)))
                        return -EBADMSG;
                ret->strings[i] = (char *) data;
                size -= (size_t) (end + 1 - data);
                data = end + 1;
        }
        if (size > 0)
                return -EBADMSG;
        ret->n_strings = count;
        ret->strings[count] = NULL;
        return 0;
}

static bool error_is_valid(int error) {
        return error <= 0 && error >= -ERRNO_MAX;
}

static int decode_both(uint8_t *data, size_t size, size_t count, struct helper_answer *ret) {
        size_t n_strings, addresses_size = count * ADDRESS_SIZE;

        if (size < BOTH_HEAD_SIZE || count > HELPER_ADDRESSES_MAX || addresses_size > size - BOTH_HEAD_SIZE ||
            bytes_get(data + 12, 4) != 0)
                return -EBADMSG;
        ret->addresses_error = (int32_t) bytes_get(data, 4);
        ret->os_release_error = (int32_t) bytes_get(data + 4, 4);
        n_strings = bytes_get(data + 8, 4);
        if (!error_is_valid(ret->addresses_error) || !error_is_valid(ret->os_release_error) ||
            (ret->addresses_error < 0 && count > 0) || (ret->os_release_error < 0 && n_strings > 0))
                return -EBADMSG;
        data += BOTH_HEAD_SIZE;
        size -= BOTH_HEAD_SIZE;
        if (decode_addresses(data, addresses_size, count, ret) < 0)
                return -EBADMSG;
        return decode_strings(data + addresses_size, size - addresses_size, n_strings, ret);
}

int helper_answer_decode(uint8_t *data, size_t size, struct helper_answer *ret) {
        uint64_t count;

        if (size < ANSWER_HEAD_SIZE || size > HELPER_ANSWER_MAX || bytes_get(data, 4) != ANSWER_MAGIC ||
            bytes_get(data + 5, 3) != 0 || !kind_is_valid(data[4]))
                return -EBADMSG;
        ret->kind = (enum helper_kind) data[4];
        ret->number = bytes_get(data + 8, 8);
        ret->error = (int32_t) bytes_get(data + 16, 4);
        ret->addresses_error = ret->os_release_error = 0;
        ret->n_addresses = 0;
        ret->n_strings = 0;
        ret->strings[0] = NULL;
        count = bytes_get(data + 20, 4);
        data += ANSWER_HEAD_SIZE;
        size -= ANSWER_HEAD_SIZE;
        if (!error_is_valid(ret->error))
                return -EBADMSG;
        if (ret->error < 0 || ret->kind == HELPER_KILL_TREE || ret->kind == HELPER_OPEN_ROOT)
                return size == 0 && count == 0 ? 0 : -EBADMSG;
        if (ret->kind == HELPER_ADDRESSES)
                return decode_addresses(data, size, count, ret);
        if (ret->kind == HELPER_BOTH)
                return decode_both(data, size, count, ret);
        return decode_strings(data, size, count, ret);
}
