/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sender is whoever runs as PID 1 of a container: nothing here may be believed but the two fields we look for. */
#include "codec/notify-text.h"

#include <errno.h>
#include <string.h>

#include "core/name.h"

/* The value of `line` when it begins with `field`, which ends in '='. */
static const char *value_of(const char *line, size_t size, const char *field, size_t *ret_size) {
        size_t length = strlen(field);

        if (size < length || memcmp(line, field, length) != 0)
                return NULL;
        *ret_size = size - length;
        return line + length;
}

static void take_status(const char *value, size_t size, struct notify_text *ret) {
        memcpy(ret->status, value, size);
        ret->status[size] = '\0';
        ret->has_status = text_is_valid(ret->status, sizeof(ret->status));
}

static void take_line(const char *line, size_t size, struct notify_text *ret) {
        const char *value;
        size_t value_size;

        value = value_of(line, size, "READY=", &value_size);
        if (value)
                ret->ready = ret->ready || (value_size == 1 && *value == '1');
        value = value_of(line, size, "STATUS=", &value_size);
        if (value && !ret->has_status)
                take_status(value, value_size, ret);
}

int notify_text_decode(const char *text, size_t size, struct notify_text *ret) {
        const char *end;

        if (size > NOTIFY_TEXT_MAX)
                return -EMSGSIZE;
        if (size > 0 && text[size - 1] == '\0')
                size--;
        if (size == 0 || memchr(text, '\0', size))
                return -EBADMSG;
        ret->ready = ret->has_status = false;
        for (end = text + size; text < end;) {
                const char *newline = memchr(text, '\n', (size_t) (end - text));
                size_t line = (size_t) ((newline ? newline : end) - text);

                take_line(text, line, ret);
                text += line + 1;
        }
        return 0;
}
