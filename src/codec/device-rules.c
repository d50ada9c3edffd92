/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program asks rule after rule and says yes at the first that fits: there are a dozen, and opening a device is rare. It is kept
 * short because the kernel checks it at each start, which takes longer than all it is ever asked. Its codes
 * are written out here, for <linux/bpf.h> is no header for a folder that makes no system calls; a test compares them. */
#include "codec/device-rules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL_ACCESS (DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD)
#define PER_RULE 7 /* instructions at most, with the question for the type */
#define AROUND 16  /* before and behind the rules */
#define MAJOR_MAX 0xfffU
#define MINOR_MAX 0xfffffU
#define MINOR_BITS 20

enum {
        CODE_LOAD = 0x61,           /* destination = *(u32 *)(source + offset) */
        CODE_MOVE = 0xbf,           /* destination = source */
        CODE_SET = 0xb7,            /* destination = immediate */
        CODE_AND = 0x57,            /* destination &= immediate */
        CODE_OR = 0x4f,             /* destination |= source */
        CODE_SHIFT_LEFT = 0x67,     /* destination <<= immediate */
        CODE_SHIFT_RIGHT = 0x77,    /* destination >>= immediate */
        CODE_JUMP_DIFFERENT = 0x55, /* if destination != immediate, skip offset instructions */
        CODE_JUMP_EQUAL = 0x16,     /* if they are equal in 32 bits */
        CODE_EXIT = 0x95,
};

/* r1 is struct bpf_cgroup_dev_ctx in the beginning, and free then. NUMBER: major and minor in 32 bits, as the kernel has them. */
enum { ANSWER, CONTEXT, TYPE, ACCESS, MAJOR, MINOR, NUMBER, SCRATCH = CONTEXT };

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

/* Jumps of that code from `first` on that have no target yet lead to here; a jump counts from the instruction behind it. Were there
 * any? */
static bool land(struct writer *w, size_t first, uint8_t code) {
        bool any = false;

        for (size_t i = first; i < w->n; i++)
                if (w->code[i].code == code && w->code[i].offset == 0) {
                        w->code[i].offset = (int16_t) (w->n - i - 1);
                        any = true;
                }
        return any;
}

/* Of a rule whose type is right. By far the most are about one device and all that can be done with it: one instruction. */
static void put_rule(struct writer *w, const struct device_rule *rule) {
        size_t first = w->n;

        if (rule->major <= MAJOR_MAX && rule->minor <= MINOR_MAX && rule->access == ALL_ACCESS) {
                put(w, CODE_JUMP_EQUAL, NUMBER, 0, 0, (int32_t) (rule->major << MINOR_BITS | rule->minor));
                return;
        }
        if (rule->major != DEVICE_ANY)
                put(w, CODE_JUMP_DIFFERENT, MAJOR, 0, 0, (int32_t) rule->major);
        if (rule->minor != DEVICE_ANY)
                put(w, CODE_JUMP_DIFFERENT, MINOR, 0, 0, (int32_t) rule->minor);
        if (rule->access != ALL_ACCESS) { /* is anything wanted that is not allowed? */
                put(w, CODE_MOVE, SCRATCH, ACCESS, 0, 0);
                put(w, CODE_AND, SCRATCH, 0, 0, (int32_t) (7U & ~kernel_access(rule->access)));
                put(w, CODE_JUMP_DIFFERENT, SCRATCH, 0, 0, 0);
        }
        put(w, CODE_EXIT, 0, 0, 0, 0);
        land(w, first, CODE_JUMP_DIFFERENT);
}

/* Rules of one type behind one question. */
static void put_run(struct writer *w, const struct device_rule *rules, size_t n) {
        size_t first = w->n;

        put(w, CODE_JUMP_DIFFERENT, TYPE, 0, 1,
            (int32_t) rules[0].type); /* an offset that land() does not take for none */
        for (size_t i = 0; i < n; i++)
                put_rule(w, &rules[i]);
        w->code[first].offset = (int16_t) (w->n - first - 1);
}

static void put_begin(struct writer *w) {
        put(w, CODE_LOAD, TYPE, CONTEXT, 0, 0); /* access_type: the type below, the access in the upper half */
        put(w, CODE_MOVE, ACCESS, TYPE, 0, 0);
        put(w, CODE_AND, TYPE, 0, 0, 0xffff);
        put(w, CODE_SHIFT_RIGHT, ACCESS, 0, 0, 16);
        put(w, CODE_LOAD, MAJOR, CONTEXT, 4, 0);
        put(w, CODE_LOAD, MINOR, CONTEXT, 8, 0);
        put(w, CODE_MOVE, NUMBER, MAJOR, 0, 0);
        put(w, CODE_SHIFT_LEFT, NUMBER, 0, 0, MINOR_BITS);
        put(w, CODE_OR, NUMBER, MINOR, 0, 0);
        put(w, CODE_SET, ANSWER, 0, 0, 1);
}

int device_rules_program(const struct device_rule *rules, size_t n, struct device_instruction **ret, size_t *ret_n) {
        struct writer w = { NULL, 0 };

        if (n > DEVICE_RULES_MAX)
                return -E2BIG;
        w.code = calloc(n * PER_RULE + AROUND, sizeof(*w.code));
        if (!w.code)
                return -ENOMEM;
        put_begin(&w);
        for (size_t first = 0, next; first < n; first = next) {
                for (next = first + 1; next < n && rules[next].type == rules[first].type;)
                        next++;
                put_run(&w, &rules[first], next - first);
        }
        put(&w, CODE_SET, ANSWER, 0, 0, 0);
        put(&w, CODE_EXIT, 0, 0, 0, 0);
        if (land(&w, 0, CODE_JUMP_EQUAL)) /* the kernel takes no instruction that nothing leads to */
                put(&w, CODE_EXIT, 0, 0, 0, 0);
        *ret = w.code;
        *ret_n = w.n;
        return 0;
}
