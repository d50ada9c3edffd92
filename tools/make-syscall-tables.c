/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make-syscall-tables: prints the C tables that src/plan/syscall-tables.h declares. Runs on the machine that builds,
 * for the one that will run: Usage: make-syscall-tables CPU-FAMILY GROUPS.txt NUMBERS.txt > TABLES.c Everything is of
 * fixed size and never freed: what does not fit is an error of the build. */
#include <errno.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/syscall-tables.h"

#define X32_BIT 0x40000000
#define X32_FIRST 512  /* x32's variants of older calls begin here; all newer calls have numbers below */
#define ITEMS_MAX 2048 /* "@known" has every call */

struct abi {
        const char *name;
        uint32_t scmp, audit_arch;
};

/* By the cpu_family() of meson. libseccomp tells x32 from x86-64 by a value of its own, the kernel does not. */
static const struct machine {
        const char *family;
        struct abi abis[SYSCALL_ABIS_MAX];
} machines[] = {
        { "x86_64",
          { { "x86-64", SCMP_ARCH_X86_64, SCMP_ARCH_X86_64 },
            { "x32", SCMP_ARCH_X32, SCMP_ARCH_X86_64 },
            { "x86", SCMP_ARCH_X86, SCMP_ARCH_X86 } } },
        { "x86", { { "x86", SCMP_ARCH_X86, SCMP_ARCH_X86 } } },
        { "aarch64", { { "aarch64", SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64 }, { "arm", SCMP_ARCH_ARM, SCMP_ARCH_ARM } } },
        { "arm", { { "arm", SCMP_ARCH_ARM, SCMP_ARCH_ARM } } },
        { "riscv64", { { "riscv64", SCMP_ARCH_RISCV64, SCMP_ARCH_RISCV64 } } },
        { "s390x", { { "s390x", SCMP_ARCH_S390X, SCMP_ARCH_S390X }, { "s390", SCMP_ARCH_S390, SCMP_ARCH_S390 } } },
        { "ppc64", /* little endian: Debian's ppc64el */
          { { "ppc64le", SCMP_ARCH_PPC64LE, SCMP_ARCH_PPC64LE } } },
#ifdef SCMP_ARCH_LOONGARCH64 /* libseccomp 2.6 */
        { "loongarch64", { { "loongarch64", SCMP_ARCH_LOONGARCH64, SCMP_ARCH_LOONGARCH64 } } },
#endif
};

struct group {
        char name[64];
        char *items[ITEMS_MAX];
        size_t n;
};

static const struct abi *abis;
static size_t n_abis;
static struct syscall_row rows[2048];
static size_t n_rows;
static struct group groups[64];
static size_t n_groups;
static int newest; /* the highest of the numbers file */

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        fputs("make-syscall-tables: ", stderr);
        vfprintf(stderr, format, ap);
        fputc('\n', stderr);
        va_end(ap);
        exit(1);
}

static struct syscall_row *find_row(const char *name) {
        for (size_t i = 0; i < n_rows; i++)
                if (strcmp(rows[i].name, name) == 0)
                        return &rows[i];
        return NULL;
}

static void set_number(const char *name, size_t abi, int number) {
        struct syscall_row *row = find_row(name);

        if (!row) {
                if (n_rows == sizeof(rows) / sizeof(rows[0]) || strlen(name) >= sizeof(rows->name))
                        fail("no room for call '%s'", name);
                row = &rows[n_rows++];
                memcpy(row->name, name, strlen(name) + 1);
                for (size_t i = 0; i < SYSCALL_ABIS_MAX; i++)
                        row->number[i] = -1;
        }
        if (row->number[abi] < 0)
                row->number[abi] = number;
}

/* Asking by number finds calls that no group names; those newer than our own list stay unknown, so that what a
 * container sees does not depend on the library of the build. It is also the only way to the real number of those
 * that libseccomp calls by a negative one, because an older kernel had them behind a multiplexer: socket(2) of x86. */
static void ask_libseccomp(size_t abi, int from, int to) {
        for (int number = from; number < to; number++) {
                bool too_new = (number & ~X32_BIT) > newest && (number & ~X32_BIT) < X32_FIRST;
                char *name = too_new ? NULL : seccomp_syscall_resolve_num_arch(abis[abi].scmp, number);

                if (name)
                        set_number(name, abi, number);
                free(name);
        }
}

static void ask_for_everything(void) {
        for (size_t i = 0; i < n_abis; i++) {
                int base = abis[i].scmp == SCMP_ARCH_X32 ? X32_BIT : 0;

                ask_libseccomp(i, base, base + 1024);
                if (abis[i].scmp == SCMP_ARCH_ARM) /* calls of the architecture: cacheflush, set_tls */
                        ask_libseccomp(i, 0xf0000, 0xf0010);
        }
}

static FILE *open_text(const char *path) {
        FILE *f = fopen(path, "re");

        if (!f)
                fail("%s: %s", path, strerror(errno));
        return f;
}

/* The names of ABIs behind a number; none means all. */
static bool abi_is_named(const char *list, const char *abi) {
        char copy[256], *save = NULL;
        bool any = false;

        snprintf(copy, sizeof(copy), "%s", list);
        for (char *word = strtok_r(copy, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
                if (strcmp(word, abi) == 0)
                        return true;
                any = true;
        }
        return !any;
}

static bool number_is_taken(size_t abi, int number) {
        for (size_t i = 0; i < n_rows; i++)
                if (rows[i].number[abi] == number)
                        return true;
        return false;
}

/* Twice: `use` false, only to learn which is the newest. */
static void read_numbers(const char *path, bool use) {
        FILE *f = open_text(path);
        char line[256], name[64];
        int number, end;

        while (fgets(line, sizeof(line), f)) {
                if (line[0] == '#' || line[0] == '\n')
                        continue;
                if (sscanf(line, "%d %63s%n", &number, name, &end) != 2)
                        fail("%s: no number and name: %s", path, line);
                newest = number > newest ? number : newest;
                for (size_t i = 0; use && i < n_abis; i++) {
                        int full = number + (abis[i].scmp == SCMP_ARCH_X32 ? X32_BIT : 0);
                        bool is_known = seccomp_syscall_resolve_name_arch(abis[i].scmp, name) != __NR_SCMP_ERROR;

                        if (!is_known && abi_is_named(line + end, abis[i].name) && !number_is_taken(i, full))
                                set_number(name, i, full);
                }
        }
        fclose(f);
}

static struct group *new_group(const char *name) {
        struct group *g = &groups[n_groups];

        if (n_groups == sizeof(groups) / sizeof(groups[0]) || strlen(name) >= sizeof(syscall_groups[0].name))
                fail("no room for group '%s'", name);
        n_groups++;
        snprintf(g->name, sizeof(g->name), "%s", name);
        return g;
}

static void add_item(struct group *g, const char *name) {
        if (g->n == ITEMS_MAX)
                fail("group '%s' is too long", g->name);
        g->items[g->n] = strdup(name);
        if (!g->items[g->n++])
                fail("out of memory");
}

static void read_groups(const char *path) {
        FILE *f = open_text(path);
        struct group *g = NULL;
        char line[256];

        while (fgets(line, sizeof(line), f)) {
                char *save = NULL;

                if (line[0] == '#' || line[0] == '\n')
                        continue;
                if (line[0] == '@') {
                        line[strcspn(line, ":\n")] = 0; /* what follows the colon is for readers */
                        g = new_group(line);
                        continue;
                }
                if (!g)
                        fail("%s: a member before the first group: %s", path, line);
                for (char *word = strtok_r(line, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save))
                        add_item(g, word);
        }
        fclose(f);
}

static int compare(const void *a, const void *b) {
        return strcmp(a, b); /* a row and a group both begin with their name */
}

/* -1: a call that this machine does not have. */
static long item_of(const char *name) {
        if (*name == '@') {
                for (size_t i = 0; i < n_groups; i++)
                        if (strcmp(groups[i].name, name) == 0)
                                return (long) (SYSCALL_ITEM_GROUP | i);
                fail("there is no group '%s'", name);
        }
        return find_row(name) ? find_row(name) - rows : -1;
}

/* A group inside itself would be endless at run time. */
static void check_depth(const struct group *g, int depth) {
        if (depth > 8)
                fail("group '%s' contains itself", g->name);
        for (size_t i = 0; i < g->n; i++)
                if (*g->items[i] == '@')
                        check_depth(&groups[item_of(g->items[i]) & ~SYSCALL_ITEM_GROUP], depth + 1);
}

static void print_calls(void) {
        printf("const struct syscall_abi syscall_abis[] = {\n");
        for (size_t i = 0; i < n_abis; i++)
                printf("        { \"%s\", 0x%xu },\n", abis[i].name, abis[i].audit_arch);
        printf("};\nconst size_t n_syscall_abis = %zu;\n\nconst struct syscall_row syscall_rows[] = {\n", n_abis);
        for (size_t i = 0; i < n_rows; i++)
                printf("        { \"%s\", { %d, %d, %d } },\n", rows[i].name, rows[i].number[0], rows[i].number[1],
                       rows[i].number[2]);
        printf("};\nconst size_t n_syscall_rows = %zu;\n", n_rows);
}

static void print_groups(void) {
        size_t first[sizeof(groups) / sizeof(groups[0]) + 1] = { 0 };

        printf("\nconst uint16_t syscall_members[] = {\n");
        for (size_t i = 0; i < n_groups; i++) {
                size_t n = 0;

                printf("        /* %s */\n", groups[i].name);
                for (size_t k = 0; k < groups[i].n; k++) {
                        long item = item_of(groups[i].items[k]);

                        if (item < 0)
                                continue;
                        printf("        %ld, /* %s */\n", item, groups[i].items[k]);
                        n++;
                }
                first[i + 1] = first[i] + n;
        }
        printf("};\n\nconst struct syscall_group syscall_groups[] = {\n");
        for (size_t i = 0; i < n_groups; i++)
                printf("        { \"%s\", %zu, %zu },\n", groups[i].name, first[i], first[i + 1] - first[i]);
        printf("};\nconst size_t n_syscall_groups = %zu;\n", n_groups);
}

static void choose_machine(const char *family) {
        for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
                if (strcmp(machines[i].family, family) == 0)
                        abis = machines[i].abis;
        if (!abis)
                fail("no table of system calls for CPU family '%s'", family);
        while (n_abis < SYSCALL_ABIS_MAX && abis[n_abis].name)
                n_abis++;
}

int main(int argc, char **argv) {
        struct group *known;

        if (argc != 4)
                fail("Usage: make-syscall-tables CPU-FAMILY GROUPS.txt NUMBERS.txt");
        choose_machine(argv[1]);
        read_numbers(argv[3], false);
        ask_for_everything();
        read_numbers(argv[3], true);
        read_groups(argv[2]);
        qsort(rows, n_rows, sizeof(rows[0]), compare);
        known = new_group("@known");
        for (size_t i = 0; i < n_rows; i++)
                add_item(known, rows[i].name);
        qsort(groups, n_groups, sizeof(groups[0]), compare);
        for (size_t i = 0; i < n_groups; i++)
                check_depth(&groups[i], 0);
        printf("/* Made by tools/make-syscall-tables.c for %s. */\n#include \"plan/syscall-tables.h\"\n\n", argv[1]);
        print_calls();
        print_groups();
        return fflush(stdout) != 0 || ferror(stdout);
}
