/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/clone-beside.h: a process that shares our memory, as that of vfork(2) does, while we go on. To copy memory is most of what a
 * process costs. */
#pragma once

#include <linux/sched.h>
#include <stddef.h>
#include <sys/types.h>

/* clone3(2) with args; the new process runs run(userdata), which never returns, on the stack (aligned to 16 bytes, which both may be
 * once more: that has to outlive it). Neither may touch what the other does meanwhile: that is errno, too, so either the new process
 * makes bare system calls only (sys/bare-call.h), or whoever starts it does nothing but wait for it. Where memory cannot be shared
 * (other processors, sanitizers) the process has a copy. -errno. */
pid_t clone_beside(const struct clone_args *args, void *stack, size_t size, void (*run)(void *userdata),
                   void *userdata);
