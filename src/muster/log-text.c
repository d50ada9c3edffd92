/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/log-text.h"

#include <stdio.h>
#include <time.h>

#include "base/auto.h"
#include "codec/json-out.h"
#include "codec/json-text.h"
#include "muster/output.h"

/* One object for each, so that a reader need not wait for an end that following has not. */
static void append_json(const struct options *o, const char *machine, const struct console_record *record,
                        struct buf *out) {
        AUTO_BUF struct buf object = BUF_EMPTY;
        AUTO_FREE char *text = strndup(record->text, record->size);
        struct json_text j = JSON_TEXT(&object);
        char stamp[CONSOLE_STAMP_SIZE + 1];

        console_stamp(record->usec, stamp);
        json_text_begin_object(&j, NULL);
        json_text_string(&j, "machine", machine);
        json_text_string(&j, "time", stamp);
        json_text_unsigned(&j, "usec", record->usec);
        json_text_string(&j, "kind", console_kind_to_string(record->kind));
        json_text_string(&j, "text", strempty(text));
        json_text_end_object(&j);
        if (!text || buf_error(&object) < 0 ||
            (o->json == JSON_PRETTY && json_pretty(object.data, object.size, out) < 0))
                out->error = -ENOMEM;
        else if (o->json != JSON_PRETTY) {
                buf_append(out, object.data, object.size);
                buf_append_char(out, '\n');
        }
}

static void append_raw(const struct console_record *record, struct buf *out) {
        size_t before = out->size;

        if (record->kind != CONSOLE_LINE && record->kind != CONSOLE_PART)
                return;
        if (console_text_unescape(record->text, record->size, out) == -EBADMSG) {
                out->size = before; /* nothing that we have written */
                return;
        }
        if (record->kind == CONSOLE_LINE)
                buf_append_char(out, '\n');
}

/* "2026-11-26 11:00:00.123 " in local time. */
static void append_time(uint64_t usec, struct buf *out) {
        time_t seconds = (time_t) (usec / 1000000);
        struct tm tm = { 0 };
        char text[64];

        (void) localtime_r(&seconds, &tm);
        if (strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
                *text = '\0';
        buf_printf(out, "%s.%03u ", text, (unsigned) (usec / 1000 % 1000));
}

/* Programs that end their lines for a terminal in raw mode leave carriage returns at the end, which mean nothing to a reader. */
static size_t without_returns(const char *text, size_t size) {
        for (;;) {
                size_t n = 0; /* backslashes before the last letter: an even number stands for themselves */

                if (size < 2 || text[size - 1] != 'r')
                        return size;
                while (n + 1 < size && text[size - 2 - n] == '\\')
                        n++;
                if (n % 2 == 0)
                        return size;
                size -= 2;
        }
}

/* At the beginning of a line they mean nothing either: it is where the carriage is. */
static size_t leading_returns(const char *text, size_t size) {
        size_t n = 0;

        while (n + 2 <= size && text[n] == '\\' && text[n + 1] == 'r')
                n += 2;
        return n;
}

static void append_text(const struct console_record *record, struct buf *out) {
        size_t begin = leading_returns(record->text, record->size);
        size_t end = record->kind == CONSOLE_LINE ? without_returns(record->text, record->size) : record->size;

        if (begin < end)
                buf_append(out, record->text + begin, end - begin);
}

static void append_shown(const struct console_record *record, struct buf *out) {
        const char *said = record->kind == CONSOLE_BEGIN ? "-- the machine starts: "
                           : record->kind == CONSOLE_END ? "-- the machine has ended: "
                                                         : NULL;

        append_time(record->usec, out);
        if (said)
                buf_printf(out, "%s%s", output_bold(), said);
        append_text(record, out);
        if (said)
                buf_append_str(out, output_normal());
        /* A backslash is never alone in the text: this one says that the line goes on. */
        buf_append_str(out, record->kind == CONSOLE_PART ? "\\\n" : "\n");
}

void log_text_record(const struct options *o, const char *machine, const struct console_record *record,
                     struct buf *out) {
        if (o->raw)
                append_raw(record, out);
        else if (o->json)
                append_json(o, machine, record, out);
        else
                append_shown(record, out);
}
