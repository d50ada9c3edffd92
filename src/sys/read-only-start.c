/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two starts of the program are two starts of its C library, which costs more than all that is done here: one asks the processor for its
 * features, and in a virtual machine each such question is answered by the host. So where the program is linked statically its entry
 * point is here, before the library's.
 *
 * Where we may say which file it is that we run (PR_SET_MM_MAP of prctl(2)) there is no second start at all: the same code is mapped
 * once more, from the mount that is read-only, we jump there, and take the first away. The kernel makes sure of that: it refuses
 * another file as long as anything of the first is mapped.
 *
 * Nothing is set up then: no thread pointer, so no errno and no stack protector; no relocations, so no pointer in static data. */
#ifdef __x86_64__
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "base/auto.h"
#include "sys/bare-call.h"
#include "sys/own-segments.h"
#include "sys/read-only-self.h"

enum { NO_MORE = 0, PROGRAM_HEADERS = 3, ENTRY = 9, EXECFN = 31 }; /* AT_NULL, AT_PHDR, AT_ENTRY, AT_EXECFN */

/* What the code that is left hands to the code that is gone to. */
struct move {
        intptr_t by; /* 0: we stay */
        long brk;
        int mount, file;
};

void read_only_entry(uintptr_t *stack, struct move *m);
void read_only_moved(uintptr_t *stack, struct move *m);

/* What the kernel leaves at the top of the stack: the number of arguments, these, NULL, the environment, NULL, and pairs of
 * getauxval(3) up to AT_NULL: System V ABI for AMD64, "Process Initialization". */
static char **environment_of(uintptr_t *stack) {
        return (char **) (stack + 1) + stack[0] + 1;
}

/* NULL: there is none of that type. */
static uintptr_t *auxiliary_value(uintptr_t *stack, uintptr_t type) {
        uintptr_t *pair = (uintptr_t *) environment_of(stack);

        while (*pair++)
                ;
        for (; pair[0] != NO_MORE; pair += 2)
                if (pair[0] == type)
                        return &pair[1];
        return NULL;
}

static uintptr_t end_of_string(uintptr_t s) {
        while (*(const char *) s++) // NOLINT: it is a pointer
                ;
        return s;
}

/* /proc/PID/exe from now on, and where the program is, where its arguments are, and so on: all of it or nothing. */
static int set_own_file(uintptr_t *stack, const struct move *m) {
        char **arguments = (char **) (stack + 1), **environment = environment_of(stack);
        struct prctl_mm_map map; /* each field by itself: to clear it all would be a call of memset() */

        if (stack[0] == 0 || !*environment || m->brk <= 0)
                return -EOPNOTSUPP;
        own_segments_places(&map);
        map.start_stack = (uintptr_t) stack;
        map.auxv = NULL;
        map.auxv_size = 0;
        map.exe_fd = (uint32_t) m->file;
        map.start_brk = map.brk = (uintptr_t) m->brk;
        map.arg_start = (uintptr_t) arguments[0];
        map.env_start = map.arg_end = (uintptr_t) environment[0];
        while (environment[1])
                environment++;
        map.env_end = end_of_string((uintptr_t) environment[0]);
        return BARE(prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map));
}

/* The file behind a descriptor that is only a place: "/proc/self/fd/N". */
static int open_place(int fd) {
        char path[] = "/proc/self/fd/..........";
        char *at = path + sizeof("/proc/self/fd/") - 1;
        int scale = 1;

        while (fd / scale >= 10)
                scale *= 10;
        for (; scale > 0; scale /= 10)
                *at++ = (char) ('0' + fd / scale % 10);
        *at = '\0';
        return BARE(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

static intptr_t prepare_move(uintptr_t *stack, struct move *m) {
        intptr_t by = 0;

        m->file = open_place(m->mount);
        if (m->file < 0)
                return 0;
        m->brk = BARE_ADDRESS(brk, 0);
        if (set_own_file(stack, m) == -EBUSY) /* not yet: we may, but are still there */
                by = own_segments_copy(m->file);
        if (by == 0)
                BARE(close, m->file);
        return by;
}

__attribute__((used, visibility("hidden"))) void read_only_entry(uintptr_t *stack, struct move *m) {
        const uintptr_t *execfn = auxiliary_value(stack, EXECFN);

        m->by = 0;
        if (is_read_only_self(execfn ? (const char *) *execfn : NULL)) { // NOLINT: it is a pointer
                start_bare((char **) (stack + 1));
                return;
        }
        m->mount = read_only_mount();
        if (m->mount < 0)
                return; /* the program tries again, and says why not */
        m->by = prepare_move(stack, m);
        if (m->by != 0)
                return;
        (void) read_only_exec(m->mount, (char **) (stack + 1), environment_of(stack));
        BARE(close, m->mount);
}

/* In the code that stays. */
__attribute__((used, visibility("hidden"))) void read_only_moved(uintptr_t *stack, struct move *m) {
        static const unsigned char moving[] = { PROGRAM_HEADERS, ENTRY };

        read_only_start_state.bare = true;
        if (m->by != 0) {
                own_segments_unmap(m->by);
                for (unsigned i = 0; i < sizeof(moving); i++) {
                        uintptr_t *value = auxiliary_value(stack, moving[i]);

                        if (value)
                                *value += (uintptr_t) m->by;
                }
                read_only_start_state.moved = set_own_file(stack, m) == 0;
                if (!read_only_start_state.moved)
                        (void) read_only_exec(m->mount, (char **) (stack + 1), environment_of(stack));
                BARE(close, m->file);
                BARE(close, m->mount);
        }
        own_segments_prefault();
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
        "        sub $40, %rsp\n"
        "        mov %rsp, %rsi\n"
        "        call read_only_entry\n"
        "        lea 1f(%rip), %rax\n"
        "        add (%rsp), %rax\n"
        "        jmp *%rax\n"
        "1:      endbr64\n"
        "        lea 48(%rsp), %rdi\n"
        "        mov %rsp, %rsi\n"
        "        call read_only_moved\n"
        "        add $40, %rsp\n"
        "        pop %rdx\n"
        "        jmp _start\n"
        ".popsection\n");
#endif
