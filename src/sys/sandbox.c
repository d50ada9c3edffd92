/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Raw capset(2): two system calls need no libcap. */
#include "sys/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int get_capabilities(struct __user_cap_data_struct sets[static 2]) {
        struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };

        return syscall(SYS_capget, &head, sets) < 0 ? -errno : 0;
}

int sandbox_keep_capabilities(uint64_t keep) {
        struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
        struct __user_cap_data_struct sets[2] = { { 0 } }, after[2] = { { 0 } };
        int r;

        r = get_capabilities(sets);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(sets); i++) {
                sets[i].permitted &= (uint32_t) (keep >> (32 * i));
                sets[i].effective = sets[i].permitted;
                sets[i].inheritable = 0;
        }
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -errno;
        if (syscall(SYS_capset, &head, sets) < 0)
                return -errno;
        r = get_capabilities(after);
        if (r < 0)
                return r;
        return memcmp(sets, after, sizeof(sets)) == 0 ? 0 : -ENOTRECOVERABLE;
}

bool sandbox_is_wanted(void) {
        return !SANITIZED;
}

int sandbox_allow_syscalls(const struct sandbox_rule *rules, size_t n_rules) {
        scmp_filter_ctx filter;
        int r;

        if (!sandbox_is_wanted())
                return 0;
        filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        if (!filter)
                return -ENOMEM;
        /* A tree instead of a list: the cost of each call no longer depends on its place. Not vital. */
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        r = 0;
        for (size_t i = 0; r == 0 && i < n_rules; i++) {
                const struct sandbox_rule *rule = &rules[i];

                if (rule->syscall < 0)
                        continue;
                r = rule->mask
                            ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, rule->syscall, 1,
                                               SCMP_CMP64(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value))
                            : seccomp_rule_add(filter, SCMP_ACT_ALLOW, rule->syscall, 0);
        }
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}
