/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/own-segments.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "sys/bare-call.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE 4096UL

/* The linker's name for the beginning of the program in memory. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static const ElfW(Phdr) * segment(unsigned i) {
        return (const ElfW(Phdr) *) ((uintptr_t) &__ehdr_start + __ehdr_start.e_phoff) + i; // NOLINT: it is there
}

static uintptr_t begin_of(const ElfW(Phdr) * s) {
        return ((uintptr_t) &__ehdr_start + s->p_vaddr) & ~(PAGE - 1);
}

static uintptr_t end_of(const ElfW(Phdr) * s) {
        return (uintptr_t) &__ehdr_start + s->p_vaddr + s->p_memsz;
}

/* From the first segment's beginning, which is that of the program, to the last one's end. */
static size_t whole_size(void) {
        uintptr_t end = 0;

        for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
                if (segment(i)->p_type == PT_LOAD && end_of(segment(i)) > end)
                        end = end_of(segment(i));
        return ((end + PAGE - 1) & ~(PAGE - 1)) - (uintptr_t) &__ehdr_start;
}

static int protection(const ElfW(Phdr) * s) {
        return (s->p_flags & PF_R ? PROT_READ : 0) | (s->p_flags & PF_W ? PROT_WRITE : 0) |
               (s->p_flags & PF_X ? PROT_EXEC : 0);
}

static bool map_at(uintptr_t where, size_t size, int how, int flags, int file, uintptr_t offset) {
        return BARE_ADDRESS(mmap, where, size, how, MAP_PRIVATE | MAP_FIXED | flags, file, offset) == (long) where;
}

/* As execve(2) does it: what is in the file, zeros to the end of that page, and pages of zeros. What is only read is there at once. */
static bool copy_segment(const ElfW(Phdr) * s, intptr_t by, int file) {
        uintptr_t begin = begin_of(s) + (uintptr_t) by, rest = s->p_vaddr & (PAGE - 1);
        uintptr_t data_end = end_of(s) - (s->p_memsz - s->p_filesz) + (uintptr_t) by;
        uintptr_t pages_end = (data_end + PAGE - 1) & ~(PAGE - 1), end = end_of(s) + (uintptr_t) by;

        if (!map_at(begin, s->p_filesz + rest, protection(s), s->p_flags & PF_W ? 0 : MAP_POPULATE, file,
                    s->p_offset - rest))
                return false;
        if (s->p_memsz == s->p_filesz)
                return true;
        for (volatile char *zero = (char *) data_end; (uintptr_t) zero < pages_end; zero++) // NOLINT: it is there now
                *zero = 0;
        return end <= pages_end || map_at(pages_end, end - pages_end, protection(s), MAP_ANONYMOUS, -1, 0);
}

intptr_t own_segments_copy(int file) {
        size_t size = whole_size();
        long where = BARE_ADDRESS(mmap, NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        intptr_t by = where - (intptr_t) &__ehdr_start;

        if (where < 0 && where > -(long) PAGE)
                return 0;
        for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
                if (segment(i)->p_type == PT_LOAD && !copy_segment(segment(i), by, file)) {
                        (void) BARE(munmap, where, size);
                        return 0;
                }
        return by;
}

void own_segments_unmap(intptr_t by) {
        (void) BARE(munmap, (uintptr_t) &__ehdr_start - (uintptr_t) by, whole_size());
}

void own_segments_places(struct prctl_mm_map *ret) {
        for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
                const ElfW(Phdr) *s = segment(i);
                uintptr_t start = (uintptr_t) &__ehdr_start + s->p_vaddr;

                if (s->p_type == PT_LOAD && (s->p_flags & PF_X)) {
                        ret->start_code = start;
                        ret->end_code = start + s->p_filesz;
                } else if (s->p_type == PT_LOAD && (s->p_flags & PF_W)) {
                        ret->start_data = start;
                        ret->end_data = start + s->p_filesz;
                }
        }
}

void own_segments_prefault(void) {
        for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
                const ElfW(Phdr) *s = segment(i);

                if (s->p_type == PT_LOAD && (s->p_flags & PF_W))
                        (void) BARE(madvise, begin_of(s), end_of(s) - begin_of(s), MADV_POPULATE_WRITE);
        }
}

int own_segments_seal(void) {
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < __ehdr_start.e_phnum; i++) {
                const ElfW(Phdr) *s = segment(i);

                if (s->p_type == PT_GNU_RELRO) /* whose end is the end of a page */
                        r = BARE(mprotect, begin_of(s), end_of(s) - begin_of(s), PROT_READ);
        }
        return r;
}
