/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program asks rule after rule and says yes at the first that fits: there are a dozen, and opening a device is rare. Its codes
 * are written out here, for <linux/bpf.h> is no header for a folder that makes no system calls; a test compares them. */
#include "codec/device-rules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL_ACCESS (DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD)
#define PER_RULE 8 /* instructions at most */
#define AROUND 8   /* before and behind the rules */

enum {
        CODE_LOAD = 0x61,           /* destination = *(u32 *)(source + offset) */
        CODE_MOVE = 0xbf,           /* destination = source */
        CODE_SET = 0xb7,            /* destination = immediate */
        CODE_AND = 0x57,            /* destination &= immediate */
        CODE_SHIFT_RIGHT = 0x77,    /* destination >>= immediate */
        CODE_JUMP_DIFFERENT = 0x55, /* if destination != immediate, skip offset instructions */
        CODE_EXIT = 0x95,
};

/* r1 is struct bpf_cgroup_dev_ctx in the beginning, and free then. */
enum { ANSWER, CONTEXT, TYPE, ACCESS, MAJOR, MINOR, SCRATCH = CONTEXT };

const struct device_rule device_rules_container[] = {
        { DEVICE_CHAR, 1, 3, ALL_ACCESS },                            /* null */
        { DEVICE_CHAR, 1, 5, ALL_ACCESS },                            /* zero */
        { DEVICE_CHAR, 1, 7, ALL_ACCESS },                            /* full */
        { DEVICE_CHAR, 1, 8, ALL_ACCESS },                            /* random */
        { DEVICE_CHAR, 1, 9, ALL_ACCESS },                            /* urandom */
        { DEVICE_CHAR, 5, 0, ALL_ACCESS },                            /* tty */
        { DEVICE_CHAR, 5, 2, ALL_ACCESS },                            /* ptmx, pts/ptmx */
        { DEVICE_CHAR, 136, DEVICE_ANY, DEVICE_READ | DEVICE_WRITE }, /* pts, and with it the console */
        { DEVICE_CHAR, 10, 200, ALL_ACCESS },                         /* net/tun */
        { DEVICE_CHAR, 10, 229, ALL_ACCESS },                         /* fuse */
};
const size_t n_device_rules_container = sizeof(device_rules_container) / sizeof(device_rules_container[0]);

static void print_number(uint32_t number, char ret[static 12]) {
        if (number == DEVICE_ANY)
                snprintf(ret, 12, "*");
        else
                snprintf(ret, 12, "%u", number);
}

void device_rule_line(const struct device_rule *rule, char ret[static DEVICE_LINE_SIZE]) {
        char major[12], minor[12];

        print_number(rule->major, major);
        print_number(rule->minor, minor);
        snprintf(ret, DEVICE_LINE_SIZE, "%c %s:%s %s%s%s", rule->type == DEVICE_BLOCK ? 'b' : 'c', major, minor,
                 rule->access & DEVICE_READ ? "r" : "", rule->access & DEVICE_WRITE ? "w" : "",
                 rule->access & DEVICE_MKNOD ? "m" : "");
}

struct writer {
        struct device_instruction *code;
        size_t n;
};

static void put(struct writer *w, uint8_t code, unsigned destination, unsigned source, int offset, int32_t immediate) {
        w->code[w->n++] = (struct device_instruction){
                .code = code,
                .destination = destination & 15,
                .source = source & 15,
                .offset = (int16_t) offset,
                .immediate = immediate,
        };
}

/* BPF_DEVCG_ACC_*: making is 1 there, reading 2, writing 4. */
static unsigned kernel_access(unsigned access) {
        return (access & DEVICE_MKNOD ? 1U : 0) | (access & DEVICE_READ ? 2U : 0) | (access & DEVICE_WRITE ? 4U : 0);
}

static void answer(struct writer *w, int yes) {
        put(w, CODE_SET, ANSWER, 0, 0, yes);
        put(w, CODE_EXIT, 0, 0, 0, 0);
}

static void put_rule(struct writer *w, const struct device_rule *rule) {
        size_t first = w->n;

        put(w, CODE_JUMP_DIFFERENT, TYPE, 0, 0, (int32_t) rule->type);
        if (rule->major != DEVICE_ANY)
                put(w, CODE_JUMP_DIFFERENT, MAJOR, 0, 0, (int32_t) rule->major);
        if (rule->minor != DEVICE_ANY)
                put(w, CODE_JUMP_DIFFERENT, MINOR, 0, 0, (int32_t) rule->minor);
        if (rule->access != ALL_ACCESS) { /* is anything wanted that is not allowed? */
                put(w, CODE_MOVE, SCRATCH, ACCESS, 0, 0);
                put(w, CODE_AND, SCRATCH, 0, 0, (int32_t) (7U & ~kernel_access(rule->access)));
                put(w, CODE_JUMP_DIFFERENT, SCRATCH, 0, 0, 0);
        }
        answer(w, 1);
        for (size_t i = first; i < w->n; i++) /* a jump counts from the instruction behind it */
                if (w->code[i].code == CODE_JUMP_DIFFERENT)
                        w->code[i].offset = (int16_t) (w->n - i - 1);
}

int device_rules_program(const struct device_rule *rules, size_t n, struct device_instruction **ret, size_t *ret_n) {
        struct writer w = { NULL, 0 };

        if (n > DEVICE_RULES_MAX)
                return -E2BIG;
        w.code = calloc(n * PER_RULE + AROUND, sizeof(*w.code));
        if (!w.code)
                return -ENOMEM;
        put(&w, CODE_LOAD, TYPE, CONTEXT, 0, 0); /* access_type: the type below, the access in the upper half */
        put(&w, CODE_MOVE, ACCESS, TYPE, 0, 0);
        put(&w, CODE_AND, TYPE, 0, 0, 0xffff);
        put(&w, CODE_SHIFT_RIGHT, ACCESS, 0, 0, 16);
        put(&w, CODE_LOAD, MAJOR, CONTEXT, 4, 0);
        put(&w, CODE_LOAD, MINOR, CONTEXT, 8, 0);
        for (size_t i = 0; i < n; i++)
                put_rule(&w, &rules[i]);
        answer(&w, 0);
        *ret = w.code;
        *ret_n = w.n;
        return 0;
}
