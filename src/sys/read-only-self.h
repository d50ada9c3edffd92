/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/read-only-self.h: the program once more, from a detached mount of itself that is read-only. Freestanding: it is
 * also called before there is a C library (see read-only-start.c). */
#pragma once

#include <stdbool.h>

/* How the program that runs came to be there: written to before there is a C library, and never after. */
struct read_only_start {
        bool bare;  /* it began in read-only-start.c, so start_bare() is asked when it is started by its descriptor */
        bool moved; /* it runs from the mount that is read-only, and was started only once */
};
extern __attribute__((visibility("hidden"))) struct read_only_start read_only_start_state;

/* Is that how we were started, says the name that the kernel gave to the program (AT_EXECFN of getauxval(3), may be NULL)? A
 * program that was started by its descriptor is called /dev/fd/N: execveat(2). */
bool is_read_only_self(const char *execfn);
/* The mount of our file, as a descriptor, and our file from it in place of us; both return -errno. For read-only-start.c. */
int read_only_mount(void);
int read_only_exec(int mount, char *const argv[], char *const env[]);
/* Starts it. Returns 0 when the program's file system is read-only already, -errno when that cannot be. */
int read_only_self(char *const argv[], char *const env[]);

/* What a program defines that begins in read-only-start.c (ld(1), --entry=read_only_start). It is called when the program was started
 * by its descriptor, before anything of a C library is there, and returns unless argv asks for something that does without. */
void start_bare(char *const argv[]);
