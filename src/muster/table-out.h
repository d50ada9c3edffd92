/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/table-out.h: rows of text -> an aligned table (libsmartcols). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/str.h"

struct table_column {
        const char *title;
        bool shrinks; /* may be cut when the terminal is too narrow */
};

struct table; /* opaque */

/* header: print the titles. full: cut nothing. -ENOMEM. */
int table_new(const struct table_column *columns, size_t n_columns, bool header, bool full, struct table **ret);
void table_free(struct table *t);
DEFINE_AUTO(struct table *, table_free)

/* n_columns texts, copied; a line break inside a text continues it below. -ENOMEM. */
int table_row(struct table *t, const char *const *cells);
/* -ENOMEM. */
int table_print(struct table *t, struct buf *out);
