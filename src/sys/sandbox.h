/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/sandbox.h: gives up what a small worker process does not need (capabilities(7), seccomp(2)). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_CAP(number) (UINT64_C(1) << (number))

/* Keeps, of the capabilities held now, those in `keep` as permitted and effective; the inheritable and ambient sets
 * become empty. Reads the sets back: -ENOTRECOVERABLE when something else is still there. Not holding some of them is
 * no error. */
int sandbox_keep_capabilities(uint64_t keep);

/* One line of a system call allow list: with mask != 0 only where (argument & mask) == value. */
struct sandbox_rule {
        int syscall; /* SYS_... of <sys/syscall.h>; negative ones are skipped */
        unsigned argument;
        uint64_t mask, value;
};

/* False in a build with the address sanitizer: its runtime needs more system calls, memory and rights over itself. */
bool sandbox_is_wanted(void);

/* From now on every system call outside of the list fails with EPERM; nothing happens where sandbox_is_wanted() is
 * false. Needs no_new_privs. */
int sandbox_allow_syscalls(const struct sandbox_rule *rules, size_t n_rules);
