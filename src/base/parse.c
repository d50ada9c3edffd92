/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers, booleans and spans of time from text. */
#include "base/parse.h"

#include <errno.h>
#include <string.h>

static int digit_value(char c, unsigned base) {
        int value = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        return value >= 0 && (unsigned) value < base ? value : -1;
}

static int parse_digits(const char *s, size_t size, unsigned base, uint64_t *ret) {
        uint64_t v = 0;
        bool overflow = false;

        if (size == 0)
                return -EINVAL;
        for (size_t i = 0; i < size; i++) {
                int digit = digit_value(s[i], base);

                if (digit < 0)
                        return -EINVAL;
                overflow |= __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (unsigned) digit, &v);
        }
        if (overflow)
                return -ERANGE;
        *ret = v;
        return 0;
}

int parse_u64(const char *s, uint64_t *ret) {
        return parse_digits(s, strlen(s), 10, ret);
}

int parse_hex_u64(const char *s, uint64_t *ret) {
        return parse_digits(s, strlen(s), 16, ret);
}

int parse_u32(const char *s, uint32_t *ret) {
        uint64_t v;
        int r = parse_u64(s, &v);

        if (r < 0)
                return r;
        if (v > UINT32_MAX)
                return -ERANGE;
        *ret = (uint32_t) v;
        return 0;
}

int parse_i32(const char *s, int32_t *ret) {
        bool negative = *s == '-';
        uint64_t v;
        int r = parse_u64(negative ? s + 1 : s, &v);

        if (r < 0)
                return r;
        if (v > (uint64_t) INT32_MAX + negative)
                return -ERANGE;
        *ret = negative ? (int32_t) - (int64_t) v : (int32_t) v;
        return 0;
}

int parse_bool(const char *s, bool *ret) {
        static const char *const words[][6] = {
                { "no", "false", "off", "0", "n", "f" },
                { "yes", "true", "on", "1", "y", "t" },
        };

        for (int value = 0; value < 2; value++)
                for (size_t i = 0; i < 6; i++)
                        if (strcmp(s, words[value][i]) == 0) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

int parse_usec(const char *s, uint64_t *ret) {
        static const struct {
                const char *suffix;
                uint64_t usec;
        } units[] = {
                { "", 1000000 },     { "us", 1 },         { "ms", 1000 },       { "s", 1000000 },
                { "min", 60000000 }, { "h", 3600000000 }, { "d", 86400000000 },
        };
        size_t digits = strspn(s, "0123456789");
        uint64_t v;
        int r;

        if (strcmp(s, "infinity") == 0) {
                *ret = UINT64_MAX;
                return 0;
        }
        r = parse_digits(s, digits, 10, &v);
        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                if (strcmp(s + digits, units[i].suffix) != 0)
                        continue;
                if (__builtin_mul_overflow(v, units[i].usec, &v) || v == UINT64_MAX)
                        return -ERANGE;
                *ret = v;
                return 0;
        }
        return -EINVAL;
}
