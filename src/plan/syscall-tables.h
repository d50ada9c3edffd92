/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/syscall-tables.h: the system calls of the target and their groups. The .c is made when Muster is built, by
 * tools/make-syscall-tables.c from syscall-groups.txt, syscall-numbers.txt and what libseccomp knows then. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SYSCALL_ABIS_MAX 3

/* ABIs of one machine; the native one is the first. Two may share an audit architecture (x32 marks its numbers). */
struct syscall_abi {
        const char *name;
        uint32_t audit_arch; /* AUDIT_ARCH_*, as seccomp(2) reports it */
};

struct syscall_row {
        char name[32];
        int32_t number[SYSCALL_ABIS_MAX]; /* -1: this ABI does not have it */
};

/* A member of a group: a row of syscall_rows, or with SYSCALL_ITEM_GROUP a row of syscall_groups. */
#define SYSCALL_ITEM_GROUP 0x8000u

struct syscall_group {
        char name[24];     /* with the '@' */
        uint16_t first, n; /* its members in syscall_members */
};

/* Rows and groups are sorted by name (strcmp). */
extern const struct syscall_abi syscall_abis[];
extern const size_t n_syscall_abis;
extern const struct syscall_row syscall_rows[];
extern const size_t n_syscall_rows;
extern const struct syscall_group syscall_groups[];
extern const size_t n_syscall_groups;
extern const uint16_t syscall_members[];
