/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/device-program.h: a program that decides over devices (BPF_PROG_TYPE_CGROUP_DEVICE of bpf(2)) for a control group of v2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* code: n instructions, laid out as struct bpf_insn. group: the directory of the control group, which has the program for as long as it
 * exists; what is below may have programs that forbid more. keep: many groups have the same one. The kernel takes long to check and to
 * compile a program, so it is kept in /sys/fs/bpf/muster, where that is a file system of its own, and taken from there the next time.
 * Negative errno of bpf(2). */
int device_program_attach(int group, const void *code, size_t n, bool keep);
