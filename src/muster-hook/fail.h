/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-hook/fail.h: what went wrong, in one sentence on standard error. */
#pragma once

/* Prints "muster-hook: ..." and a newline; always returns -1. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
