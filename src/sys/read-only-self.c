/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two starts of the program are two starts of its C library, which costs more than all that is done here: a static one asks the
 * processor for its features, and in a virtual machine each such question is answered by the host. So where the program is linked
 * statically its entry point is here, and the library gets its turn in the second start only.
 *
 * Nothing is set up then: no thread pointer, so no errno and no stack protector; no relocations, so no pointer in static data. */
#include "sys/read-only-self.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

#ifdef __x86_64__
static inline long call(long number, long a, long b, long c, long d, long e) {
        register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        return result;
}
#else
static inline long call(long number, long a, long b, long c, long d, long e) {
        long result = syscall(number, a, b, c, d, e);

        return result < 0 ? -errno : result;
}
#endif

bool is_read_only_self(const char *execfn) {
        const char *prefix = "/dev/fd/";

        while (execfn && *prefix && *execfn == *prefix) {
                execfn++;
                prefix++;
        }
        return execfn && !*prefix;
}

int read_only_self(char *const argv[], char *const env[]) {
        const char *self = "/proc/self/exe", *empty = "";
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE };
        struct statfs fs;
        long fd, r;

        if (call(SYS_statfs, (long) self, (long) &fs, 0, 0, 0) == 0 && (fs.f_flags & ST_RDONLY))
                return 0;
        fd = call(SYS_open_tree, AT_FDCWD, (long) self, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 0, 0);
        if (fd < 0)
                return (int) fd;
        r = call(SYS_mount_setattr, fd, (long) empty, AT_EMPTY_PATH, (long) &attributes, sizeof(attributes));
        if (r == 0)
                r = call(SYS_execveat, fd, (long) empty, (long) argv, (long) env, AT_EMPTY_PATH);
        call(SYS_close, fd, 0, 0, 0, 0);
        return (int) r;
}

#ifdef __x86_64__
void read_only_entry(uintptr_t *stack);

/* What the kernel leaves at the top of the stack: the number of arguments, these, NULL, the environment, NULL, and pairs of
 * getauxval(3) up to AT_NULL: System V ABI for AMD64, "Process Initialization". */
__attribute__((used, visibility("hidden"))) void read_only_entry(uintptr_t *stack) {
        enum { NO_MORE = 0, EXECFN = 31 }; /* AT_NULL, AT_EXECFN */
        char **argv = (char **) (stack + 1), **env = argv + stack[0] + 1;
        uintptr_t *pair = (uintptr_t *) env;
        const char *execfn = NULL;

        while (*pair++)
                ;
        for (; pair[0] != NO_MORE; pair += 2)
                if (pair[0] == EXECFN)
                        execfn = (const char *) pair[1];
        if (!is_read_only_self(execfn))
                (void) read_only_self(argv, env); /* the program tries again, and says why not */
}

/* The stack and the register that carries the loader's exit function go on to the C library's own entry point. */
__asm__(".pushsection .text\n"
        ".globl read_only_start\n"
        ".hidden read_only_start\n"
        ".type read_only_start, @function\n"
        "read_only_start:\n"
        "        endbr64\n"
        "        mov %rsp, %rdi\n"
        "        push %rdx\n"
        "        push %rdx\n"
        "        call read_only_entry\n"
        "        pop %rdx\n"
        "        pop %rdx\n"
        "        jmp _start\n"
        ".popsection\n");
#endif
