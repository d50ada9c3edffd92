/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Twice: as what a machine prints, which the log gives back byte by byte without ever holding what a terminal obeys; and as a log
 * file, of which nothing is taken that could not be shown. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/console-log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
        if (!promise)
                abort();
}

static void require_harmless(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++) {
                uint8_t c = (uint8_t) text[i];

                require(c >= 0x20 && c != 0x7f);
                /* C1 controls in UTF-8; a first byte of a character is never a later one. */
                require(c != 0xc2 || (i + 1 < size && (uint8_t) text[i + 1] >= 0xa0));
        }
}

/* Encodes the line, reads it back, and appends the bytes. */
static void take(enum console_kind kind, const char *line, size_t size, void *userdata) {
        AUTO_BUF struct buf text = BUF_EMPTY, record = BUF_EMPTY;
        struct console_record read;

        require(size <= CONSOLE_LINE_MAX);
        console_text_escape(line, size, &text);
        console_record_encode(UINT64_C(1795687200123456), kind, text.data ? text.data : "", text.size, &record);
        require(record.size <= CONSOLE_RECORD_MAX && record.data[record.size - 1] == '\n');
        require(console_record_decode(record.data, record.size - 1, &read) == 0);
        require(read.kind == kind && read.usec == UINT64_C(1795687200123456));
        require_harmless(read.text, read.size);
        require(console_text_unescape(read.text, read.size, userdata) == 0);
        if (kind == CONSOLE_LINE)
                buf_append_char(userdata, '\n');
}

/* Without carriage returns at the end of a line, of which the log leaves out one, where the line is not of the longest size. */
static void normalise(const char *data, size_t size, struct buf *out) {
        for (size_t i = 0; i < size; i++) {
                if (data[i] == '\n')
                        while (out->size > 0 && out->data[out->size - 1] == '\r')
                                out->size--;
                buf_append_char(out, data[i]);
        }
}

static void as_output(const char *data, size_t size) {
        AUTO_BUF struct buf shown = BUF_EMPTY, is = BUF_EMPTY, should_be = BUF_EMPTY;
        struct console_lines lines;
        size_t step = size > 0 ? (uint8_t) data[0] % 61 + 1 : 1;

        console_lines_init(&lines);
        for (size_t at = 0; at < size; at += step)
                console_lines_feed(&lines, data + at, size - at < step ? size - at : step, take, &shown);
        console_lines_end(&lines, take, &shown);
        normalise(data, size, &should_be);
        normalise(shown.data, shown.size, &is);
        require(is.size == should_be.size && (is.size == 0 || memcmp(is.data, should_be.data, is.size) == 0));
}

static void as_file(const char *data, size_t size) {
        while (size > 0) {
                const char *newline = memchr(data, '\n', size);
                size_t n = newline ? (size_t) (newline - data) : size;
                struct console_record r;

                if (console_record_decode(data, n, &r) == 0) {
                        AUTO_BUF struct buf bytes = BUF_EMPTY, again = BUF_EMPTY;

                        require_harmless(r.text, r.size);
                        if (console_text_unescape(r.text, r.size, &bytes) == 0) {
                                AUTO_BUF struct buf text = BUF_EMPTY;

                                console_text_escape(bytes.data ? bytes.data : "", bytes.size, &text);
                                console_record_encode(r.usec, r.kind, text.data ? text.data : "", text.size, &again);
                                require(again.size == n + 1 && memcmp(again.data, data, n) == 0);
                        }
                }
                n += newline != NULL;
                data += n;
                size -= n;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        as_output((const char *) data, size);
        as_file((const char *) data, size);
        return 0;
}
