/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/device-rules.h: which devices a control group may use, as the kernel takes it: a program on v2, lines on v1. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/scope-text.h"

#define DEVICE_ANY UINT32_MAX
#define DEVICE_RULES_MAX 500 /* their program stays within the 4096 instructions of BPF_MAXINSNS */

enum device_type { DEVICE_BLOCK = 1, DEVICE_CHAR = 2 }; /* as in a program: BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR */

/* These may be used; what no rule allows may not. */
struct device_rule {
        enum device_type type;
        uint32_t major, minor; /* DEVICE_ANY: all */
        unsigned access;       /* enum device_access */
};

/* What is in the /dev of every container. */
extern const struct device_rule device_rules_container[];
extern const size_t n_device_rules_container;

/* A line of devices.allow, such as "c 1:3 rwm" (kernel: cgroup-v1/devices). */
#define DEVICE_LINE_SIZE 32
void device_rule_line(const struct device_rule *rule, char ret[static DEVICE_LINE_SIZE]);

/* Laid out as struct bpf_insn of <linux/bpf.h>. */
struct device_instruction {
        uint8_t code;
        uint8_t destination : 4, source : 4; /* registers */
        int16_t offset;
        int32_t immediate;
};

/* A program of type BPF_PROG_TYPE_CGROUP_DEVICE; *ret is malloc'ed. -E2BIG: more than DEVICE_RULES_MAX rules. -ENOMEM. */
int device_rules_program(const struct device_rule *rules, size_t n, struct device_instruction **ret, size_t *ret_n);
