/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Written after the paper; all words are little-endian, whatever the machine. */
#include "base/siphash.h"

struct state {
        uint64_t v0, v1, v2, v3;
};

static uint64_t read_word(const uint8_t *p, size_t n) {
        uint64_t word = 0;

        for (size_t i = 0; i < n; i++)
                word |= (uint64_t) p[i] << (8 * i);
        return word;
}

static uint64_t rotate(uint64_t x, unsigned bits) {
        return x << bits | x >> (64 - bits);
}

static void rounds(struct state *s, int n) {
        while (n-- > 0) {
                s->v0 += s->v1;
                s->v1 = rotate(s->v1, 13) ^ s->v0;
                s->v0 = rotate(s->v0, 32);
                s->v2 += s->v3;
                s->v3 = rotate(s->v3, 16) ^ s->v2;
                s->v0 += s->v3;
                s->v3 = rotate(s->v3, 21) ^ s->v0;
                s->v2 += s->v1;
                s->v1 = rotate(s->v1, 17) ^ s->v2;
                s->v2 = rotate(s->v2, 32);
        }
}

static void absorb(struct state *s, uint64_t word) {
        s->v3 ^= word;
        rounds(s, 2);
        s->v0 ^= word;
}

uint64_t siphash24(const void *data, size_t size, const uint8_t key[static SIPHASH_KEY_SIZE]) {
        uint64_t k0 = read_word(key, 8), k1 = read_word(key + 8, 8);
        struct state s = {
                .v0 = k0 ^ UINT64_C(0x736f6d6570736575),
                .v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
                .v2 = k0 ^ UINT64_C(0x6c7967656e657261),
                .v3 = k1 ^ UINT64_C(0x7465646279746573),
        };
        const uint8_t *p = data;
        size_t tail = size % 8;

        for (const uint8_t *end = p + (size - tail); p < end; p += 8)
                absorb(&s, read_word(p, 8));
        absorb(&s, read_word(p, tail) | (uint64_t) (size & 0xff) << 56);
        s.v2 ^= 0xff;
        rounds(&s, 4);
        return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
