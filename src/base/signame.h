/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/signame.h: signals by name, as kill(1) spells them (signal(7), numbers of x86, ARM, RISC-V, s390 and POWER). */
#pragma once

#define SIGNAL_NUMBER_MAX 64

/* What glibc and systemd call SIGRTMIN, so what guests mean by it; the C library that we run with may keep more for itself. */
#define SIGNAL_RT_MIN 34

/* "SIGTERM", "TERM", "SIGRTMIN+4", "RTMAX", "15": 1..64. -EINVAL. */
int signal_from_string(const char *s);
/* "SIGTERM"; NULL for numbers without a name of their own (real-time ones). Static storage. */
const char *signal_to_string(int number);
