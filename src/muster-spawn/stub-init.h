/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/stub-init.h: PID 1 for --as-pid2: forks, and in the child returns; in PID 1 it reaps, forwards and ends as the
 * payload ends. Makes system calls only: no allocation, no log, no locale (it runs in a foreign root). */
#pragma once

/* Returns 0 in the payload (PID 2, a session of its own, the signal mask of the caller of muster-spawn restored from `mask`, a
 * sigset_t); negative errno when it cannot fork. In PID 1 it does not return: all descriptors are closed, comm and command line
 * read "(muster-stub)", the environment reads container= and container_uuid= only (nothing of the caller's stays readable in
 * /proc/1/environ). environment: those two as one block of NUL-terminated strings, size bytes. */
int stub_init(const void *mask, const char *environment, unsigned long size);
