/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/filter.h: which system calls a payload may make, as a program for seccomp(2). Pure: the tables of call numbers
 * are made when Muster is built; nothing is asked of the kernel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct spec;

#define FILTER_INSTRUCTIONS_MAX 4096 /* BPF_MAXINSNS of <linux/bpf_common.h> */

/* One instruction, as struct sock_filter of <linux/filter.h> lays it out. */
struct filter_instruction {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
};

struct filter {
        struct filter_instruction *code;
        size_t n_code;    /* at most FILTER_INSTRUCTIONS_MAX */
        size_t n_allowed; /* calls of the native ABI that may be made, for people */
};

/* Fills *ret from the rules, address families and sync suppression of `spec` and from the capabilities that the
 * payload will keep in its bounding set (they open groups of calls). `warn` is told in a sentence what has no effect;
 * may be NULL. -E2BIG with a diag: more address families than a program can hold. -ENOMEM. */
int filter_build(const struct spec *spec, uint64_t capabilities, void (*warn)(const char *text, void *userdata),
                 void *userdata, struct filter *ret, struct diag *diag);
void filter_done(struct filter *f);
