/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/stub-init.h: PID 1 for --as-pid2: starts the payload's process, reaps, forwards and ends as that ends. Makes system
 * calls only: no allocation, no log, no locale (it runs in a foreign root). */
#pragma once

/* payload(userdata) runs in PID 2 (a session of its own, with the signal mask `mask`, a sigset_t), when PID 1 has closed all its
 * descriptors and hidden what it was: its comm and command line read "(muster-stub)", and its environment holds only `environment`
 * (container= and container_uuid=: NUL-terminated strings, size bytes in all; they must stay where they are), so nothing of the
 * caller's is readable in /proc/1/environ. It is in PID 1's memory, on a small stack, and never returns: it becomes a program, by
 * bare system calls. Nor does stub_init(), but with negative errno, when there is no PID 2: of clone3(2), pipe2(2), or of reading
 * /proc/self/stat. */
int stub_init(const void *mask, const char *environment, unsigned long size, void (*payload)(void *userdata),
              void *userdata);
