/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/diag.h: where a text is wrong, in words, without allocating: filled by parsers, owned by the caller. */
#pragma once

struct diag {
        const char *file; /* borrowed, may be NULL */
        unsigned line;    /* 1-based; 0: not known */
        char field[48];
        char text[160];
};

/* Fills text (printf style) and field (may be NULL); always returns error, so `return diag_set(...)` reads well. */
int diag_set(struct diag *d, int error, const char *field, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
