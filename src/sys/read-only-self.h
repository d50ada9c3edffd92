/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/read-only-self.h: the program once more, from a detached mount of itself that is read-only. Freestanding: it is
 * also called before there is a C library (see read-only-self.c). */
#pragma once

#include <stdbool.h>

/* Is that how we were started, says the name that the kernel gave to the program (AT_EXECFN of getauxval(3), may be NULL)? A
 * program that was started by its descriptor is called /dev/fd/N: execveat(2). */
bool is_read_only_self(const char *execfn);
/* Starts it. Returns 0 when the program's file system is read-only already, -errno when that cannot be. */
int read_only_self(char *const argv[], char *const env[]);
