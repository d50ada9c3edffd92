/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only user of libsmartcols. It escapes what a terminal must not get; JSON never comes from it. */
#include "muster/table-out.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>

#include "muster/output.h"

struct table {
        struct libscols_table *scols;
        size_t n_columns;
};

static int add_columns(struct table *t, const struct table_column *columns, bool header, bool full) {
        for (size_t i = 0; i < t->n_columns; i++) {
                int flags = columns[i].shrinks && !full ? SCOLS_FL_TRUNC : 0;
                /* A title counts for the width also where it is not printed. */
                struct libscols_column *c =
                        scols_table_new_column(t->scols, header ? columns[i].title : "", 0, flags | SCOLS_FL_WRAP);

                if (!c)
                        return -ENOMEM;
                scols_column_set_safechars(c, "\n");
                scols_column_set_wrapfunc(c, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
        }
        return 0;
}

int table_new(const struct table_column *columns, size_t n_columns, bool header, bool full, struct table **ret) {
        AUTO(table_freep) struct table *t = calloc(1, sizeof(*t));
        int r;

        output_use_locale(); /* which tells the library how wide characters are */
        if (!t)
                return -ENOMEM;
        t->n_columns = n_columns;
        t->scols = scols_new_table();
        if (!t->scols)
                return -ENOMEM;
        scols_table_enable_noheadings(t->scols, !header);
        r = add_columns(t, columns, header, full);
        if (r < 0)
                return r;
        *ret = STEAL(t);
        return 0;
}

void table_free(struct table *t) {
        if (!t)
                return;
        scols_unref_table(t->scols);
        free(t);
}

int table_row(struct table *t, const char *const *cells) {
        struct libscols_line *line = scols_table_new_line(t->scols, NULL);

        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < t->n_columns; i++)
                if (scols_line_set_data(line, i, cells[i]) < 0)
                        return -ENOMEM;
        return 0;
}

int table_print(struct table *t, struct buf *out) {
        AUTO_FREE char *text = NULL;

        if (scols_print_table_to_string(t->scols, &text) < 0)
                return -ENOMEM;
        if (buf_append_str(out, text) < 0)
                return -ENOMEM;
        /* this function of the library leaves out the last line's end */
        return !isempty(text) && !endswith(text, "\n") ? buf_append_char(out, '\n') : 0;
}
