/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/console-log.h: what a machine says on its console, as the lines of a log.
 *
 * A record is one line of text that can be read with any pager:
 *
 *         2026-11-26T10:00:00.123456Z | [    0.5] Welcome!
 *
 * the time (UTC, microseconds), the kind in one character, and the text. A machine may print anything, so what a terminal
 * would obey is escaped: control characters and what is not UTF-8 as \xHH, tab, carriage return and newline as \t, \r and
 * \n, characters that turn the direction of writing by their bytes, a backslash by two. Nothing is lost by that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/table.h"
#include "core/name.h"

#define CONSOLE_LINE_MAX 8192 /* bytes of the console in one record; longer lines are divided */
#define CONSOLE_STAMP_SIZE 27 /* of the time in a record */
#define CONSOLE_RECORD_MAX (CONSOLE_LINE_MAX * 4 + 64) /* bytes of one record, newline included */

enum console_kind {
        CONSOLE_LINE,  /* '|': a line */
        CONSOLE_PART,  /* '+': a piece of one, which goes on in the next record, or was never ended */
        CONSOLE_BEGIN, /* '>': said by the runner: the machine starts */
        CONSOLE_END,   /* '<': it has ended */
        _CONSOLE_KIND_MAX
};
DECLARE_TABLE(console_kind, enum console_kind); /* "line", "part", "begin", "end" */

struct console_record {
        uint64_t usec; /* since 1970 */
        enum console_kind kind;
        const char *text; /* escaped, borrowed from what was decoded, not terminated */
        size_t size;
};

/* ---- bytes to lines ---- */

struct console_lines {
        size_t size; /* of the line that is not ended yet */
        char data[CONSOLE_LINE_MAX];
};

/* Gets each line, without its newline and a carriage return before that. Borrowed. */
typedef void console_line_fn(enum console_kind kind, const char *line, size_t size, void *userdata);

void console_lines_init(struct console_lines *l);
void console_lines_feed(struct console_lines *l, const char *data, size_t size, console_line_fn *take, void *userdata);
/* There is nothing to come: hands out what is left, as a part. */
void console_lines_end(struct console_lines *l, console_line_fn *take, void *userdata);

/* ---- text ---- */

/* Appends the escaped form. Out of memory: buf_error(). */
void console_text_escape(const char *data, size_t size, struct buf *out);
/* Appends the bytes again. -EBADMSG: it is none, or could be written in another way. -ENOMEM. */
int console_text_unescape(const char *text, size_t size, struct buf *out);

/* ---- records ---- */

/* "2026-11-26T10:00:00.123456Z" and a NUL. Times after the year 9999 become its last microsecond. */
void console_stamp(uint64_t usec, char ret[static CONSOLE_STAMP_SIZE + 1]);

/* text is escaped already. Out of memory: buf_error(). */
void console_record_encode(uint64_t usec, enum console_kind kind, const char *text, size_t size, struct buf *out);
/* One line, without its newline. Its text can be shown on a terminal. -EBADMSG. */
int console_record_decode(const char *line, size_t size, struct console_record *ret);

/* ---- files ---- */

#define CONSOLE_LOGS_FILES_MAX 16                    /* of one machine: the present one and older ones */
#define CONSOLE_LOG_NAME_SIZE (MACHINE_NAME_MAX + 8) /* NAME.log.15 and a NUL */

/* The file of that age: 0 is written to, 1 was so before it, and so on. name is a machine's; age < CONSOLE_LOGS_FILES_MAX. */
void console_log_file_name(const char *name, unsigned age, char ret[static CONSOLE_LOG_NAME_SIZE]);
/* The machine whose youngest file is called that; false: it is no such file. */
bool console_log_machine_name(const char *file, char ret[static MACHINE_NAME_MAX + 1]);
