/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sender is whoever runs as PID 1 of a container: nothing here may be believed but the fields we look for. */
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

static bool is_one(const char *line, size_t size, const char *field) {
        size_t value_size;
        const char *value = value_of(line, size, field, &value_size);

        return value && value_size == 1 && *value == '1';
}

static void take_fd_name(const char *value, size_t size, struct notify_text *ret) {
        if (size == 0 || size > NOTIFY_FD_NAME_MAX)
                return;
        for (size_t i = 0; i < size; i++)
                if (value[i] <= ' ' || value[i] > '~' || value[i] == ':')
                        return;
        memcpy(ret->fd_name, value, size);
        ret->fd_name[size] = '\0';
}

static void take_line(const char *line, size_t size, struct notify_text *ret) {
        const char *value;
        size_t value_size;

        ret->ready = ret->ready || is_one(line, size, "READY=");
        ret->store = ret->store || is_one(line, size, "FDSTORE=");
        ret->remove = ret->remove || is_one(line, size, "FDSTOREREMOVE=");
        value = value_of(line, size, "FDNAME=", &value_size);
        if (value)
                take_fd_name(value, value_size, ret);
        value = value_of(line, size, "STATUS=", &value_size);
        if (value && !ret->has_status)
                take_status(value, value_size, ret);
}

int notify_text_decode(const char *text, size_t size, struct notify_text *ret) {
        static const char no_name[] = "stored"; /* what sd_pid_notify_with_fds(3) calls them then */
        const char *end;

        if (size > NOTIFY_TEXT_MAX)
                return -EMSGSIZE;
        if (size > 0 && text[size - 1] == '\0')
                size--;
        if (size == 0 || memchr(text, '\0', size))
                return -EBADMSG;
        ret->ready = ret->has_status = ret->store = ret->remove = false;
        memcpy(ret->fd_name, no_name, sizeof(no_name));
        for (end = text + size; text < end;) {
                const char *newline = memchr(text, '\n', (size_t) (end - text));
                size_t line = (size_t) ((newline ? newline : end) - text);

                take_line(text, line, ret);
                text += line + 1;
        }
        return 0;
}
