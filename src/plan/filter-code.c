/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conditional jumps reach 255 instructions. A target that is farther away is written again if it is a return, or
 * reached by an unconditional jump, which has 32 bits. */
#include "plan/filter-code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

/* One less than a jump reaches: a branch may need an instruction more for its other target. */
#define NEAR 254

static size_t put(struct filter_code *c, struct filter_instruction i) {
        if (c->error)
                return c->n;
        if (c->n == c->allocated) {
                size_t more = c->allocated ? 2 * c->allocated : 512;
                struct filter_instruction *p = reallocarray(c->reversed, more, sizeof(*p));

                if (!p) {
                        c->error = -ENOMEM;
                        return c->n;
                }
                c->reversed = p;
                c->allocated = more;
        }
        c->reversed[c->n++] = i;
        return c->n;
}

/* What the next instruction has to jump over. */
static size_t distance(const struct filter_code *c, size_t place) {
        return c->n - place;
}

static size_t jump(struct filter_code *c, size_t to) {
        return put(c, (struct filter_instruction){ .code = FILTER_JUMP, .k = (uint32_t) distance(c, to) });
}

size_t filter_code_load(struct filter_code *c, uint32_t offset, size_t next) {
        if (distance(c, next) > 0)
                jump(c, next);
        return put(c, (struct filter_instruction){ .code = FILTER_LOAD, .k = offset });
}

size_t filter_code_branch(struct filter_code *c, enum filter_opcode op, uint32_t k, size_t yes, size_t no) {
        struct filter_instruction i = { .code = (uint16_t) op, .k = k };

        if (distance(c, yes) > NEAR)
                yes = jump(c, yes);
        if (distance(c, no) > NEAR)
                no = jump(c, no);
        i.jt = (uint8_t) distance(c, yes);
        i.jf = (uint8_t) distance(c, no);
        return put(c, i);
}

size_t filter_code_target(struct filter_code *c, struct filter_target *t) {
        if (t->place && distance(c, t->place) <= NEAR)
                return t->place;
        t->place = t->is_block ? jump(c, t->place)
                               : put(c, (struct filter_instruction){ .code = FILTER_RETURN, .k = t->value });
        return t->place;
}

/* Where to cut so that both sides are asked for about equally often: 0 < result < n. */
static size_t split(const struct filter_range *ranges, size_t n) {
        uint64_t total = 0, left = ranges[0].weight;
        size_t i = 1;

        for (size_t k = 0; k < n; k++)
                total += ranges[k].weight;
        while (i + 1 < n && 2 * left + ranges[i].weight <= total)
                left += ranges[i++].weight;
        return i;
}

size_t filter_code_search(struct filter_code *c, const struct filter_range *ranges, size_t n,
                          struct filter_target *targets) {
        size_t middle, high, low;

        if (n == 1)
                return filter_code_target(c, &targets[ranges[0].target]);
        middle = split(ranges, n);
        high = filter_code_search(c, ranges + middle, n - middle, targets);
        low = filter_code_search(c, ranges, middle, targets);
        return filter_code_branch(c, FILTER_JUMP_LEAST, ranges[middle].from, high, low);
}

int filter_code_finish(struct filter_code *c, struct filter_instruction **ret, size_t *ret_n) {
        int error = c->error;

        if (error < 0) {
                filter_code_done(c);
                return error;
        }
        for (size_t i = 0; i < c->n / 2; i++) {
                struct filter_instruction swap = c->reversed[i];

                c->reversed[i] = c->reversed[c->n - 1 - i];
                c->reversed[c->n - 1 - i] = swap;
        }
        *ret_n = c->n;
        *ret = STEAL(c->reversed);
        filter_code_done(c);
        return 0;
}

void filter_code_done(struct filter_code *c) {
        free(c->reversed);
        memset(c, 0, sizeof(*c));
}
