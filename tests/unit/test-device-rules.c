/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device program, run by a small machine, and by the kernel's verifier where that lets us. */
#include "unit.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "codec/device-rules.h"

#define STEPS_MAX 10000

/* What the program says; -1: it does what it may not. */
static int run(const struct device_instruction *code, size_t n, const struct bpf_cgroup_dev_ctx *context) {
        uint64_t r[11] = { 0 };
        bool has_context = true; /* r1 */

        for (size_t at = 0, steps = 0; at < n && steps < STEPS_MAX; at++, steps++) {
                const struct device_instruction *i = &code[at];
                unsigned to = i->destination, from = i->source;

                if (to > 9 || from > 9)
                        return -1;
                if (to == 1)
                        has_context = false;
                switch (i->code) {
                case BPF_LDX | BPF_MEM | BPF_W:
                        if (from != 1 || !has_context || i->offset < 0 || i->offset > 8 || i->offset % 4)
                                return -1;
                        r[to] = ((const uint32_t *) context)[i->offset / 4];
                        break;
                case BPF_ALU64 | BPF_MOV | BPF_X:
                        r[to] = r[from];
                        break;
                case BPF_ALU64 | BPF_MOV | BPF_K:
                        r[to] = (uint64_t) (int64_t) i->immediate;
                        break;
                case BPF_ALU64 | BPF_AND | BPF_K:
                        r[to] &= (uint64_t) (int64_t) i->immediate;
                        break;
                case BPF_ALU64 | BPF_RSH | BPF_K:
                        r[to] >>= i->immediate;
                        break;
                case BPF_ALU64 | BPF_LSH | BPF_K:
                        r[to] <<= i->immediate;
                        break;
                case BPF_ALU64 | BPF_OR | BPF_X:
                        r[to] |= r[from];
                        break;
                case BPF_JMP32 | BPF_JEQ | BPF_K:
                        if (i->offset < 0)
                                return -1;
                        at += (uint32_t) r[to] == (uint32_t) i->immediate ? (size_t) i->offset : 0;
                        break;
                case BPF_JMP | BPF_JNE | BPF_K:
                        if (i->offset < 0)
                                return -1;
                        at += r[to] != (uint64_t) (int64_t) i->immediate ? (size_t) i->offset : 0;
                        break;
                case BPF_JMP | BPF_EXIT:
                        return r[0] <= 1 ? (int) r[0] : -1;
                default:
                        return -1;
                }
        }
        return -1;
}

/* "c 1:3 rw" against the program. */
static int ask(const struct device_instruction *code, size_t n, enum device_type type, uint32_t major, uint32_t minor,
               unsigned access) {
        struct bpf_cgroup_dev_ctx c = { .major = major, .minor = minor };

        c.access_type = (access & DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0) |
                        (access & DEVICE_READ ? BPF_DEVCG_ACC_READ : 0) |
                        (access & DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0);
        c.access_type = c.access_type << 16 | (type == DEVICE_BLOCK ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        return run(code, n, &c);
}

static void test_layout(void **state) {
        struct bpf_insn theirs = { .code = 0x61, .dst_reg = 2, .src_reg = 5, .off = -3, .imm = -7 };
        struct device_instruction ours = { .code = 0x61, .destination = 2, .source = 5, .offset = -3, .immediate = -7 };

        assert_int_equal(sizeof(theirs), sizeof(ours));
        assert_memory_equal(&theirs, &ours, sizeof(ours));
}

static void test_container(void **state) {
        static const struct {
                enum device_type type;
                uint32_t major, minor;
                unsigned access;
                int answer;
        } cases[] = {
                { DEVICE_CHAR, 1, 3, DEVICE_READ | DEVICE_WRITE, 1 },
                { DEVICE_CHAR, 1, 3, DEVICE_MKNOD, 1 },
                { DEVICE_BLOCK, 1, 3, DEVICE_READ, 0 },
                { DEVICE_CHAR, 1, 1, DEVICE_READ, 0 },  /* mem */
                { DEVICE_CHAR, 1, 11, DEVICE_READ, 0 }, /* kmsg */
                { DEVICE_CHAR, 5, 0, DEVICE_READ, 1 },
                { DEVICE_CHAR, 5, 1, DEVICE_READ, 0 }, /* the host's console */
                { DEVICE_CHAR, 5, 2, DEVICE_READ | DEVICE_WRITE, 1 },
                { DEVICE_CHAR, 136, 0, DEVICE_READ | DEVICE_WRITE, 1 },
                { DEVICE_CHAR, 136, 1048575, DEVICE_READ, 1 },
                { DEVICE_CHAR, 136, 0, DEVICE_READ | DEVICE_MKNOD, 0 },
                { DEVICE_CHAR, 10, 200, DEVICE_READ | DEVICE_WRITE, 1 },
                { DEVICE_CHAR, 10, 232, DEVICE_READ, 0 }, /* kvm */
                { DEVICE_BLOCK, 8, 0, DEVICE_READ, 0 },
                { DEVICE_BLOCK, 8, 0, DEVICE_MKNOD, 0 },
        };
        AUTO_FREE struct device_instruction *code = NULL;
        size_t n;

        assert_int_equal(device_rules_program(device_rules_container, n_device_rules_container, &code, &n), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (ask(code, n, cases[i].type, cases[i].major, cases[i].minor, cases[i].access) != cases[i].answer)
                        fail_msg("row %zu", i);
}

static bool allowed(const struct device_rule *rules, size_t n, enum device_type type, uint32_t major, uint32_t minor,
                    unsigned access) {
        for (size_t i = 0; i < n; i++)
                if (rules[i].type == type && (rules[i].major == DEVICE_ANY || rules[i].major == major) &&
                    (rules[i].minor == DEVICE_ANY || rules[i].minor == minor) && !(access & ~rules[i].access))
                        return true;
        return false;
}

/* Any rules say what they mean, to any question near to them. */
static void test_random(void **state) {
        unsigned seed = 1;

        for (int round = 0; round < 500; round++) {
                struct device_rule rules[6];
                AUTO_FREE struct device_instruction *code = NULL;
                size_t n_rules = (size_t) rand_r(&seed) % (ELEMENTS(rules) + 1), n;

                for (size_t i = 0; i < n_rules; i++)
                        rules[i] = (struct device_rule){
                                .type = rand_r(&seed) % 2 ? DEVICE_CHAR : DEVICE_BLOCK,
                                .major = rand_r(&seed) % 4 ? (uint32_t) rand_r(&seed) % 3 : DEVICE_ANY,
                                .minor = rand_r(&seed) % 4 ? (uint32_t) rand_r(&seed) % 3 : DEVICE_ANY,
                                .access = rand_r(&seed) % 2 ? 7 : 1 + (unsigned) rand_r(&seed) % 7,
                        };
                assert_int_equal(device_rules_program(rules, n_rules, &code, &n), 0);
                for (unsigned q = 0; q < 2 * 3 * 3 * 8; q++) {
                        enum device_type type = q % 2 ? DEVICE_CHAR : DEVICE_BLOCK;
                        uint32_t major = q / 2 % 3, minor = q / 6 % 3;
                        unsigned access = q / 18;

                        if (access)
                                assert_int_equal(ask(code, n, type, major, minor, access),
                                                 allowed(rules, n_rules, type, major, minor, access));
                }
        }
}

static void test_lines(void **state) {
        static const struct {
                struct device_rule rule;
                const char *line;
        } cases[] = {
                { { DEVICE_CHAR, 1, 3, DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD }, "c 1:3 rwm" },
                { { DEVICE_CHAR, 136, DEVICE_ANY, DEVICE_READ | DEVICE_WRITE }, "c 136:* rw" },
                { { DEVICE_BLOCK, DEVICE_ANY, DEVICE_ANY, DEVICE_MKNOD }, "b *:* m" },
                { { DEVICE_BLOCK, 4294967294U, 4294967294U, 7 }, "b 4294967294:4294967294 rwm" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char line[DEVICE_LINE_SIZE];

                device_rule_line(&cases[i].rule, line);
                assert_string_equal(line, cases[i].line);
        }
}

static void test_too_many(void **state) {
        AUTO_FREE struct device_rule *rules = calloc(DEVICE_RULES_MAX + 1, sizeof(*rules));
        struct device_instruction *code = NULL;
        size_t n;

        assert_int_equal(device_rules_program(rules, DEVICE_RULES_MAX + 1, &code, &n), -E2BIG);
        assert_null(code);
}

/* The longest program that there can be, and the usual one. */
static void test_kernel(void **state) {
        AUTO_FREE struct device_rule *rules = calloc(DEVICE_RULES_MAX, sizeof(*rules));

        for (size_t i = 0; i < DEVICE_RULES_MAX; i++)
                rules[i] = (struct device_rule){ i % 2 ? DEVICE_BLOCK : DEVICE_CHAR, 8, (uint32_t) i, DEVICE_READ };
        for (int which = 0; which < 2; which++) {
                AUTO_FREE struct device_instruction *code = NULL;
                AUTO_CLOSE int fd = -EBADF;
                union bpf_attr a = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE };
                size_t n;

                assert_int_equal(
                        which ? device_rules_program(rules, DEVICE_RULES_MAX, &code, &n)
                              : device_rules_program(device_rules_container, n_device_rules_container, &code, &n),
                        0);
                a.insns = (uint64_t) (uintptr_t) code;
                a.insn_cnt = (uint32_t) n;
                a.license = (uint64_t) (uintptr_t) "LGPL-2.1-or-later";
                fd = (int) syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
                if (fd < 0 && (errno == EPERM || errno == ENOSYS))
                        skip();
                if (fd < 0)
                        fail_msg("%zu instructions: %s", n, strerror(errno));
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout), cmocka_unit_test(test_container), cmocka_unit_test(test_random),
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_too_many),  cmocka_unit_test(test_kernel),
};
RUN_TESTS(tests)
