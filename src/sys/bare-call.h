/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/bare-call.h: a system call and nothing else. It touches no errno and no other variable of a thread, so it can be made by a process
 * that shares the memory of another, and before there is a C library. syscall(2), "Architecture calling conventions". */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is not asked for is ignored by the kernel. The result, or negative errno. */
static inline long bare_call(long number, long a, long b, long c, long d, long e, long f) {
#ifdef __x86_64__
        register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return result;
#else
        long result = syscall(number, a, b, c, d, e, f);

        return result < 0 ? -errno : result;
#endif
}

static inline int bare_number(long result) {
        return (int) result;
}

/* BARE(openat, AT_FDCWD, path, flags): up to six arguments, numbers and pointers. An int, or from BARE_ADDRESS() a long. */
#define BARE(name, ...) bare_number(BARE_WITH_REST(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0))
#define BARE_ADDRESS(name, ...) BARE_WITH_REST(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define BARE_WITH_REST(number, a, b, c, d, e, f, ...) \
        bare_call(number, (long) (a), (long) (b), (long) (c), (long) (d), (long) (e), (long) (f))

static inline _Noreturn void bare_exit(int status) {
        for (;;)
                (void) BARE(exit_group, status);
}
