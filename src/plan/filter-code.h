/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/filter-code.h: classic BPF, written from its end to its beginning: jumps only go forward, so whoever writes
 * backwards knows every target. A place is the number of instructions from there to the end. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/filter.h"

/* What is used of include/uapi/linux/bpf_common.h. The kernel can tell in advance what a program of these says about a
 * call as long as no argument is loaded, and remembers it: then the call does not run the program at all. */
enum filter_opcode {
        FILTER_LOAD = 0x20,       /* BPF_LD | BPF_W | BPF_ABS */
        FILTER_JUMP = 0x05,       /* BPF_JMP | BPF_JA */
        FILTER_JUMP_EQUAL = 0x15, /* BPF_JMP | BPF_JEQ | BPF_K */
        FILTER_JUMP_LEAST = 0x35, /* BPF_JMP | BPF_JGE | BPF_K */
        FILTER_JUMP_BITS = 0x45,  /* BPF_JMP | BPF_JSET | BPF_K */
        FILTER_RETURN = 0x06,     /* BPF_RET | BPF_K */
};

struct filter_code {
        struct filter_instruction *reversed;
        size_t n, allocated;
        int error; /* the first -ENOMEM; nothing is written after it */
};

/* What is to be done at a place: return `value`, or (a block) what was written there before. */
struct filter_target {
        bool is_block;
        uint32_t value;
        size_t place; /* 0: not written yet */
};

/* Numbers from `from` on, until the next range, go to targets[target]. The first one is from 0. `weight`: how often
 * numbers of the range are asked for, compared with others. */
struct filter_range {
        uint32_t from, weight;
        unsigned target;
};

/* Each writes in front of what is there, and returns the place of what it has written. */
/* Load a word of the call's data, and go to `next`. */
size_t filter_code_load(struct filter_code *c, uint32_t offset, size_t next);
/* Go to `yes` if (what was loaded OP k), else to `no`. */
size_t filter_code_branch(struct filter_code *c, enum filter_opcode op, uint32_t k, size_t yes, size_t no);
/* A place that a branch in front reaches and that does what the target says; writes nothing where there is one. */
size_t filter_code_target(struct filter_code *c, struct filter_target *t);
/* Finds the range of what was loaded and goes to its target; n > 0. */
size_t filter_code_search(struct filter_code *c, const struct filter_range *ranges, size_t n,
                          struct filter_target *targets);

/* Hands over the code in the order in which it runs; c is empty again. -ENOMEM. */
int filter_code_finish(struct filter_code *c, struct filter_instruction **ret, size_t *ret_n);
void filter_code_done(struct filter_code *c);
