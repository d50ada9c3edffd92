/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/stub-init.h: PID 1 for --as-pid2: starts the payload's process, reaps, forwards and ends as that ends. Makes system
 * calls only: no allocation, no log, no locale (it runs in a foreign root). */
#pragma once

struct stub {
        const void *mask;            /* a sigset_t, for PID 2 */
        const char *environment;     /* of PID 1 from then on: NUL-terminated strings, STUB_VARIABLES at most ... */
        unsigned long size;          /* ... of so many bytes in all, which must stay where they are */
        int program;                 /* ours, which starts bare (sys/read-only-self.h), as a descriptor; or -EBADF */
        void (*payload)(void *data); /* never returns: by bare system calls it becomes a program */
        void *data;
};

#define STUB_VARIABLES 2 /* container= and container_uuid= */

/* payload(data) runs in PID 2 (a session of its own), on a small stack, when nothing that PID 1 was can be seen of it any more: it has
 * no descriptors, its comm and command line read "(muster-stub)", and /proc/1/environ holds nothing of the caller's.
 *
 * With a program PID 1 becomes that. PID 1 may then have been in the memory of somebody else, in which it writes to nothing but its
 * stack. Without one its memory has to be its own, and is overwritten.
 *
 * Does not return, but with negative errno: of clone3(2), pipe2(2), execveat(2), or of reading /proc/self/stat. */
int stub_init(const struct stub *stub);
