/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine for classic BPF as seccomp(2) accepts it, and as strict: what it returns for a call, or BPF_BROKEN. */
#pragma once

#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "plan/filter.h"

#define BPF_BROKEN 0xdeadbeefu /* no value that a filter returns */

static inline bool bpf_compare(const struct filter_instruction *i, uint32_t a, bool *ret) {
        switch (i->code) {
        case BPF_JMP | BPF_JEQ | BPF_K:
                *ret = a == i->k;
                return true;
        case BPF_JMP | BPF_JGE | BPF_K:
                *ret = a >= i->k;
                return true;
        case BPF_JMP | BPF_JGT | BPF_K:
                *ret = a > i->k;
                return true;
        case BPF_JMP | BPF_JSET | BPF_K:
                *ret = a & i->k;
                return true;
        default:
                return false;
        }
}

/* ret_steps may be NULL: how many instructions were run. Jumps go forward only, so that every program ends. */
static inline uint32_t bpf_run(const struct filter_instruction *code, size_t n, const struct seccomp_data *data,
                               unsigned *ret_steps) {
        uint32_t a = 0;
        unsigned steps = 0;

        for (size_t at = 0; at < n; at++) {
                const struct filter_instruction *i = &code[at];
                bool yes;

                steps++;
                if (bpf_compare(i, a, &yes))
                        at += yes ? i->jt : i->jf;
                else if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
                        if (i->k % 4 || i->k > sizeof(*data) - 4)
                                return BPF_BROKEN;
                        memcpy(&a, (const char *) data + i->k, 4);
                } else if (i->code == (BPF_JMP | BPF_JA))
                        at += i->k;
                else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
                        a &= i->k;
                else if (i->code == (BPF_RET | BPF_K)) {
                        if (ret_steps)
                                *ret_steps = steps;
                        return i->k;
                } else
                        return BPF_BROKEN;
        }
        return BPF_BROKEN;
}
