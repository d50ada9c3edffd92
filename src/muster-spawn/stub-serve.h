/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/stub-serve.h: what the stub init does as long as its payload lives. Freestanding: it also runs where no C library was
 * ever started. */
#pragma once

#include <sys/types.h>

#define STUB_TITLE "(muster-stub)"
#define STUB_PAYLOAD 2 /* the second process of a PID namespace */

/* Closes all descriptors, reaps, and answers the signals of an init, all of which are blocked, until the child `payload` ends. A
 * program that starts bare as PID 1 with the name STUB_TITLE does that for the child STUB_PAYLOAD: start_bare() of
 * sys/read-only-self.h. */
_Noreturn void stub_serve(pid_t payload);
