/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/stub-init.h: PID 1 for --as-pid2: forks, and in the child returns; in PID 1 it reaps, forwards and
 * ends as the payload ends. Makes system calls only: no allocation, no log, no locale (it runs in a foreign root). */
#pragma once

/* Returns 0 in the payload (PID 2, a session of its own, with the signal mask `mask`, a sigset_t), when PID 1 has
 * closed all its descriptors and hidden what it was: its comm and command line read "(muster-stub)", and its
 * environment holds only `environment` (container= and container_uuid=: NUL-terminated strings, size bytes in all;
 * they must stay where they are), so nothing of the caller's is readable in /proc/1/environ. In PID 1 it does not
 * return. Negative errno, in the one process there still is: of fork(2), pipe2(2), or of reading /proc/self/stat. */
int stub_init(const void *mask, const char *environment, unsigned long size);
