/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of rules as a user writes them, and a few that stand for other options: what is built is a program that the
 * kernel takes, refuses what is refused by name, and says something about every call. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/bpf.h"
#include "base/parse.h"
#include "base/str.h"
#include "plan/syscall-tables.h"
#include "spec/spec.h"

#define RULES_MAX 4096

static void require(bool promise) {
        if (!promise)
                abort();
}

static void add_rule(struct spec *s, bool deny, const char *name) {
        require(s->n_syscall_rules < RULES_MAX);
        s->syscall_rules[s->n_syscall_rules].name = strdup(name);
        require(s->syscall_rules[s->n_syscall_rules].name);
        s->syscall_rules[s->n_syscall_rules++].deny = deny;
}

static void add_family(struct spec *s, const char *number) {
        int32_t family;

        if (parse_i32(number, &family) < 0)
                return;
        require(s->n_address_families < RULES_MAX);
        s->address_families[s->n_address_families++] = family;
        s->address_families_set = true;
}

static void take_line(struct spec *s, uint64_t *capabilities, char *line) {
        bool deny = *line == '~';
        char *save = NULL;

        for (char *word = strtok_r(line + deny, " ", &save); word; word = strtok_r(NULL, " ", &save))
                if (s->n_syscall_rules + s->n_address_families >= RULES_MAX)
                        return;
                else if (startswith(word, "family="))
                        add_family(s, word + strlen("family="));
                else if (startswith(word, "capabilities="))
                        parse_hex_u64(word + strlen("capabilities="), capabilities);
                else if (streq(word, "deny-families"))
                        s->address_families_set = s->address_families_deny = true;
                else if (streq(word, "suppress-sync"))
                        s->suppress_sync = true;
                else
                        add_rule(s, deny, word);
}

static bool is_an_answer(uint32_t value) {
        switch (value) {
        case SECCOMP_RET_ALLOW:
        case SECCOMP_RET_ERRNO | 0:
        case SECCOMP_RET_ERRNO | EPERM:
        case SECCOMP_RET_ERRNO | ENOSYS:
        case SECCOMP_RET_ERRNO | EINVAL:
        case SECCOMP_RET_ERRNO | EAFNOSUPPORT:
                return true;
        default:
                return false;
        }
}

static uint32_t ask(const struct filter *f, uint32_t arch, int32_t number, uint64_t arguments) {
        struct seccomp_data data = { .nr = number, .arch = arch, .args = { arguments, arguments, arguments } };

        return bpf_run(f->code, f->n_code, &data, NULL);
}

static bool is_refused_by_name(const struct spec *s, const char *name) {
        for (size_t i = 0; i < s->n_syscall_rules; i++)
                if (s->syscall_rules[i].deny && streq(s->syscall_rules[i].name, name))
                        return true;
        return false;
}

static void check(const struct spec *s, const struct filter *f) {
        require(f->n_code > 0 && f->n_code <= FILTER_INSTRUCTIONS_MAX);
        require(f->code[f->n_code - 1].code == (BPF_RET | BPF_K));
        for (size_t i = 0; i < f->n_code; i++) {
                bool goes_on = f->code[i].code == (BPF_JMP | BPF_JA);
                uint64_t farthest = goes_on                         ? f->code[i].k
                                    : f->code[i].jt > f->code[i].jf ? f->code[i].jt
                                                                    : f->code[i].jf;

                if (f->code[i].code != (BPF_RET | BPF_K))
                        require(i + 1 + farthest < f->n_code);
        }
        for (size_t abi = 0; abi < n_syscall_abis; abi++)
                for (size_t i = 0; i < n_syscall_rows; i++) {
                        int32_t number = syscall_rows[i].number[abi];

                        require(is_an_answer(ask(f, syscall_abis[abi].audit_arch, number, 1)));
                        if (number >= 0 && is_refused_by_name(s, syscall_rows[i].name))
                                require(ask(f, syscall_abis[abi].audit_arch, number, UINT64_MAX) != SECCOMP_RET_ALLOW);
                }
        require(ask(f, 0, 0, 0) == SECCOMP_RET_ALLOW);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = calloc(size + 1, 1), *save = NULL;
        uint64_t capabilities = 0;
        struct filter f;
        struct spec s;
        int r;

        spec_init(&s);
        s.syscall_rules = calloc(RULES_MAX, sizeof(*s.syscall_rules));
        s.address_families = calloc(RULES_MAX, sizeof(*s.address_families));
        require(text && s.syscall_rules && s.address_families);
        memcpy(text, data, size);
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                take_line(&s, &capabilities, line);
        r = filter_build(&s, capabilities, NULL, NULL, &f, NULL);
        require(r == 0 || r == -E2BIG);
        if (r == 0) {
                check(&s, &f);
                filter_done(&f);
        }
        spec_done(&s);
        free(text);
        return 0;
}
