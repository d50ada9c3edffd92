/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* There is one way to write each byte, so a text that is read back is either exactly what was written or refused. */
#include "codec/console-log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "codec/utf8.h"

#define SUFFIX ".log"
#define SECONDS_OF_DAY 86400
#define SECONDS_MAX UINT64_C(253402300799) /* 9999-12-31T23:59:59 */

static const char *const console_kind_table[_CONSOLE_KIND_MAX] = {
        [CONSOLE_LINE] = "line", [CONSOLE_PART] = "part", [CONSOLE_BEGIN] = "begin", [CONSOLE_END] = "end"
};
DEFINE_TABLE(console_kind, enum console_kind)

static const char marks[_CONSOLE_KIND_MAX] = {
        [CONSOLE_LINE] = '|', [CONSOLE_PART] = '+', [CONSOLE_BEGIN] = '>', [CONSOLE_END] = '<'
};

/* ---- bytes to lines ---- */

void console_lines_init(struct console_lines *l) {
        l->size = 0; /* the data needs no zeros */
}

static void take_line(struct console_lines *l, console_line_fn *take, void *userdata) {
        size_t size = l->size;

        if (size > 0 && l->data[size - 1] == '\r') /* terminals send both: termios(3), ONLCR */
                size--;
        take(CONSOLE_LINE, l->data, size, userdata);
        l->size = 0;
}

void console_lines_feed(struct console_lines *l, const char *data, size_t size, console_line_fn *take, void *userdata) {
        while (size > 0) {
                const char *newline = memchr(data, '\n', size);
                size_t n = newline ? (size_t) (newline - data) : size, room = sizeof(l->data) - l->size;

                if (n > room)
                        n = room;
                memcpy(l->data + l->size, data, n);
                l->size += n;
                data += n;
                size -= n;
                if (size > 0 && *data == '\n') {
                        take_line(l, take, userdata);
                        data++;
                        size--;
                } else if (l->size == sizeof(l->data))
                        console_lines_end(l, take, userdata);
        }
}

void console_lines_end(struct console_lines *l, console_line_fn *take, void *userdata) {
        if (l->size > 0)
                take(CONSOLE_PART, l->data, l->size, userdata);
        l->size = 0;
}

/* ---- text ---- */

static bool is_in(const char *s, size_t n, const char *first, const char *last) {
        return strlen(first) == n && memcmp(s, first, n) >= 0 && memcmp(s, last, n) <= 0;
}

/* Characters without a look of their own that change how others are shown (Unicode Standard Annex 9), or break lines. */
static bool misleads(const char *s, size_t n) {
        return is_in(s, n, "\xd8\x9c", "\xd8\x9c") || is_in(s, n, "\xe2\x80\x8e", "\xe2\x80\x8f") ||
               is_in(s, n, "\xe2\x80\xa8", "\xe2\x80\xae") || is_in(s, n, "\xe2\x81\xa6", "\xe2\x81\xa9");
}

/* Bytes of the character at s that stand for themselves, or 0. */
static size_t plain(const char *s, size_t size) {
        size_t n = utf8_printable(s, size);

        return n == 0 || *s == '\\' || misleads(s, n) ? 0 : n;
}

/* Bytes written with a letter; the letter, or 0. */
static char letter_of(char c) {
        return c == '\\' ? '\\' : c == '\t' ? 't' : c == '\r' ? 'r' : c == '\n' ? 'n' : '\0';
}

static void escape_byte(char c, struct buf *out) {
        static const char hex[] = "0123456789abcdef";
        char letter = letter_of(c);
        char code[4] = { '\\', letter ? letter : 'x', hex[(uint8_t) c >> 4], hex[c & 15] };

        buf_append(out, code, letter ? 2 : 4);
}

void console_text_escape(const char *data, size_t size, struct buf *out) {
        size_t start = 0;

        for (size_t i = 0; i < size;) {
                size_t n = plain(data + i, size - i);

                if (n > 0) {
                        i += n;
                        continue;
                }
                buf_append(out, data + start, i - start);
                escape_byte(data[i++], out);
                start = i;
        }
        buf_append(out, data + start, size - start);
}

static int hex_digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of the escape at s, or 0. */
static size_t unescape_byte(const char *s, size_t size, char *ret) {
        static const char bytes[] = "\\\t\r\n";
        int high, low;

        if (size < 2 || s[0] != '\\')
                return 0;
        for (size_t i = 0; bytes[i]; i++)
                if (letter_of(bytes[i]) == s[1]) {
                        *ret = bytes[i];
                        return 2;
                }
        if (size < 4 || s[1] != 'x')
                return 0;
        high = hex_digit(s[2]);
        low = hex_digit(s[3]);
        if (high < 0 || low < 0)
                return 0;
        *ret = (char) (high << 4 | low);
        return letter_of(*ret) ? 0 : 4;
}

/* Whether the bytes would be written as the text that they were read from. */
static bool is_the_only_form(const struct buf *bytes, size_t from, const char *text, size_t size) {
        AUTO_BUF struct buf again = BUF_EMPTY;

        console_text_escape(bytes->data + from, bytes->size - from, &again);
        return again.size == size && memcmp(again.data, text, size) == 0;
}

int console_text_unescape(const char *text, size_t size, struct buf *out) {
        size_t from = out->size;

        for (size_t i = 0; i < size;) {
                size_t n = plain(text + i, size - i);
                char byte;

                if (n > 0) {
                        buf_append(out, text + i, n);
                        i += n;
                        continue;
                }
                n = unescape_byte(text + i, size - i, &byte);
                if (n == 0)
                        return -EBADMSG;
                buf_append_char(out, byte);
                i += n;
        }
        if (buf_error(out) < 0)
                return -ENOMEM;
        return out->size == from || is_the_only_form(out, from, text, size) ? 0 : -EBADMSG;
}

/* Without the bytes: whether it may be shown. */
static bool text_is_escaped(const char *text, size_t size) {
        char byte;

        for (size_t i = 0, n; i < size; i += n) {
                n = plain(text + i, size - i);
                if (n == 0)
                        n = unescape_byte(text + i, size - i, &byte);
                if (n == 0)
                        return false;
        }
        return true;
}

/* ---- time: the calendar that repeats every 400 years, counted from March so that the leap day is the last ---- */

static void date_of_day(uint32_t day, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day) {
        uint32_t days = day + 719468; /* since 0000-03-01 */
        uint32_t era = days / 146097, in_era = days % 146097;
        uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
        uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
        uint32_t month = (5 * in_year + 2) / 153; /* 0 is March */

        *ret_day = in_year - (153 * month + 2) / 5 + 1;
        *ret_month = month < 10 ? month + 3 : month - 9;
        *ret_year = year + era * 400 + (*ret_month <= 2);
}

static uint32_t day_of_date(unsigned year, unsigned month, unsigned day) {
        uint32_t y = year - (month <= 2), in_era = y % 400;
        uint32_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

        return y / 400 * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

void console_stamp(uint64_t usec, char ret[static CONSOLE_STAMP_SIZE + 1]) {
        uint64_t seconds = usec / 1000000, micro = usec % 1000000;
        unsigned year, month, day, second;

        if (seconds > SECONDS_MAX) {
                seconds = SECONDS_MAX;
                micro = 999999;
        }
        date_of_day((uint32_t) (seconds / SECONDS_OF_DAY), &year, &month, &day);
        second = (unsigned) (seconds % SECONDS_OF_DAY);
        (void) snprintf(ret, CONSOLE_STAMP_SIZE + 1, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", year % 10000, month % 100,
                        day % 100, second / 3600 % 100, second / 60 % 60, second % 60, (unsigned) micro);
}

/* n digits. */
static bool take_number(const char **s, unsigned n, unsigned max, unsigned *ret) {
        unsigned v = 0;

        for (; n > 0; n--, (*s)++) {
                if (**s < '0' || **s > '9')
                        return false;
                v = v * 10 + (unsigned) (**s - '0');
        }
        *ret = v;
        return v <= max;
}

static int parse_stamp(const char *s, uint64_t *ret) {
        static const struct {
                unsigned digits, max;
                char after;
        } fields[] = { { 4, 9999, '-' }, { 2, 12, '-' }, { 2, 31, 'T' },    { 2, 23, ':' },
                       { 2, 59, ':' },   { 2, 59, '.' }, { 6, 999999, 'Z' } };
        unsigned v[ELEMENTS(fields)];
        char again[CONSOLE_STAMP_SIZE + 1];
        const char *p = s;
        uint64_t usec;

        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (!take_number(&p, fields[i].digits, fields[i].max, &v[i]) || *p++ != fields[i].after)
                        return -EBADMSG;
        if (v[0] < 1970 || v[1] < 1 || v[2] < 1)
                return -EBADMSG;
        usec = ((uint64_t) day_of_date(v[0], v[1], v[2]) * SECONDS_OF_DAY + v[3] * 3600 + v[4] * 60 + v[5]) * 1000000 +
               v[6];
        console_stamp(usec, again); /* there is no 30th of February */
        if (memcmp(again, s, CONSOLE_STAMP_SIZE) != 0)
                return -EBADMSG;
        *ret = usec;
        return 0;
}

/* ---- records ---- */

void console_record_encode(uint64_t usec, enum console_kind kind, const char *text, size_t size, struct buf *out) {
        char head[CONSOLE_STAMP_SIZE + 4];

        console_stamp(usec, head);
        head[CONSOLE_STAMP_SIZE] = ' ';
        head[CONSOLE_STAMP_SIZE + 1] = marks[kind];
        head[CONSOLE_STAMP_SIZE + 2] = ' ';
        buf_append(out, head, CONSOLE_STAMP_SIZE + 3);
        buf_append(out, text, size);
        buf_append_char(out, '\n');
}

int console_record_decode(const char *line, size_t size, struct console_record *ret) {
        struct console_record record;
        const char *mark;
        int r;

        if (size < CONSOLE_STAMP_SIZE + 3 || size >= CONSOLE_RECORD_MAX || line[CONSOLE_STAMP_SIZE] != ' ' ||
            line[CONSOLE_STAMP_SIZE + 2] != ' ')
                return -EBADMSG;
        r = parse_stamp(line, &record.usec);
        if (r < 0)
                return r;
        mark = memchr(marks, line[CONSOLE_STAMP_SIZE + 1], sizeof(marks));
        if (!mark)
                return -EBADMSG;
        record.kind = (enum console_kind)(mark - marks);
        record.text = line + CONSOLE_STAMP_SIZE + 3;
        record.size = size - CONSOLE_STAMP_SIZE - 3;
        if (!text_is_escaped(record.text, record.size))
                return -EBADMSG;
        *ret = record;
        return 0;
}

/* ---- files ---- */

void console_log_file_name(const char *name, unsigned age, char ret[static CONSOLE_LOG_NAME_SIZE]) {
        if (age == 0)
                (void) snprintf(ret, CONSOLE_LOG_NAME_SIZE, "%.*s" SUFFIX, MACHINE_NAME_MAX, name);
        else
                (void) snprintf(ret, CONSOLE_LOG_NAME_SIZE, "%.*s" SUFFIX ".%u", MACHINE_NAME_MAX, name,
                                age % CONSOLE_LOGS_FILES_MAX);
}

bool console_log_machine_name(const char *file, char ret[static MACHINE_NAME_MAX + 1]) {
        const char *suffix = endswith(file, SUFFIX);
        size_t size = suffix ? (size_t) (suffix - file) : 0;

        if (size == 0 || size > MACHINE_NAME_MAX)
                return false;
        memcpy(ret, file, size);
        ret[size] = '\0';
        return machine_name_is_valid(ret);
}
