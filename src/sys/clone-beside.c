/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On a stack of its own no function can return that was called on ours, that of the C library which makes the system call included. So
 * it is made here, and nothing follows it in the new process but a call. */
#include "sys/clone-beside.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !HAS_FEATURE(address_sanitizer)
pid_t clone_beside(const struct clone_args *args, void *stack, size_t size, void (*run)(void *userdata),
                   void *userdata) {
        struct clone_args shared = *args;
        long pid;

        shared.flags |= CLONE_VM;
        shared.stack = (uint64_t) (uintptr_t) stack;
        shared.stack_size = size;
        __asm__ volatile("syscall\n"
                         "        test %%rax, %%rax\n"
                         "        jnz 1f\n"
                         "        xor %%ebp, %%ebp\n"
                         "        mov %[userdata], %%rdi\n"
                         "        call *%[run]\n"
                         "        ud2\n"
                         "1:"
                         : "=a"(pid)
                         : "a"((long) SYS_clone3), "D"(&shared),
                           "S"(sizeof(shared)), [run] "r"(run), [userdata] "r"(userdata)
                         : "rcx", "r11", "memory");
        return (pid_t) pid;
}
#else
pid_t clone_beside(const struct clone_args *args, void *stack, size_t size, void (*run)(void *userdata),
                   void *userdata) {
        pid_t pid = (pid_t) syscall(SYS_clone3, args, sizeof(*args));

        if (pid == 0) {
                run(userdata);
                _exit(1);
        }
        return pid < 0 ? -errno : pid;
}
#endif
