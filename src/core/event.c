/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "core/name.h"

static const char *const event_kind_table[_EVENT_KIND_MAX] = {
        [EVENT_KIND_REGISTERED] = "registered",
        [EVENT_KIND_CREATED] = "created",
        [EVENT_KIND_RUNNING] = "running",
        [EVENT_KIND_CREATE_FAILED] = "create-failed",
        [EVENT_KIND_CLOSING] = "closing",
        [EVENT_KIND_REMOVED] = "removed",
        [EVENT_KIND_UNREGISTERED] = "unregistered",
        [EVENT_KIND_KILL] = "kill",
        [EVENT_KIND_EXEC] = "exec",
        [EVENT_KIND_SHELL] = "shell",
        [EVENT_KIND_LOGIN] = "login",
        [EVENT_KIND_OPEN_PTY] = "open-pty",
        [EVENT_KIND_OPEN_ROOT] = "open-root",
        [EVENT_KIND_BIND] = "bind",
        [EVENT_KIND_COPY_TO] = "copy-to",
        [EVENT_KIND_COPY_FROM] = "copy-from",
        [EVENT_KIND_LIMIT] = "limit",
};
DEFINE_TABLE(event_kind, enum event_kind)

/* ---- bounds ---- */

#define LOWER "abcdefghijklmnopqrstuvwxyz"

static bool word_is_valid(const char *s, const char *alphabet, size_t max) {
        size_t n = strlen(s);

        return n > 0 && n <= max && strspn(s, alphabet) == n;
}

bool event_is_valid(const struct event *e) {
        if (e->sequence == 0 || e->sequence > EVENT_SEQUENCE_MAX ||
            !word_is_valid(e->kind, LOWER "-", EVENT_KIND_NAME_MAX) || e->class >= _MACHINE_CLASS_MAX ||
            e->leader < 0 || e->actor_pid < 0 || e->n_details > EVENT_DETAILS_MAX)
                return false;
        if (!machine_name_is_valid(e->machine) && !streq(e->machine, HOST_MACHINE_NAME))
                return false;
        for (size_t i = 0; i < e->n_details; i++)
                if (!word_is_valid(e->details[i].key, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", EVENT_KEY_MAX) ||
                    !text_is_valid(e->details[i].value, EVENT_VALUE_MAX))
                        return false;
        return true;
}

/* At most EVENT_VALUE_MAX - 3 bytes, which do not end within a character. */
static size_t cut_at(const char *s) {
        size_t n = EVENT_VALUE_MAX - strlen("...");

        while (n > 0 && ((unsigned char) s[n] & 0xc0) == 0x80)
                n--;
        return n;
}

char *event_value(const char *s, char ret[static EVENT_VALUE_MAX + 1]) {
        AUTO_FREE char *escaped = NULL;

        if (!text_is_valid(s, SIZE_MAX)) {
                s = escaped = str_escape(s, EVENT_VALUE_MAX);
                if (!s)
                        s = "?"; /* out of memory: that there was something is worth more than nothing */
        }
        if (strlen(s) <= EVENT_VALUE_MAX)
                strcpy(ret, s);
        else
                snprintf(ret, EVENT_VALUE_MAX + 1, "%.*s...", (int) cut_at(s), s);
        return ret;
}

/* ---- copying ---- */

size_t event_size(const struct event *e) {
        size_t size = sizeof(*e) + e->n_details * sizeof(*e->details) + strlen(e->kind) + strlen(e->machine) + 2;

        for (size_t i = 0; i < e->n_details; i++)
                size += strlen(e->details[i].key) + strlen(e->details[i].value) + 2;
        return size;
}

static const char *put(char **at, const char *s) {
        char *here = *at;
        size_t n = strlen(s) + 1;

        memcpy(here, s, n);
        *at += n;
        return here;
}

int event_copy(const struct event *e, struct event **ret) {
        struct event_detail *details;
        struct event *copy = malloc(event_size(e));
        char *at;

        if (!copy)
                return -ENOMEM;
        details = (struct event_detail *) (copy + 1);
        at = (char *) (details + e->n_details);
        *copy = *e;
        copy->details = details;
        copy->kind = put(&at, e->kind);
        copy->machine = put(&at, e->machine);
        for (size_t i = 0; i < e->n_details; i++) {
                details[i].key = put(&at, e->details[i].key);
                details[i].value = put(&at, e->details[i].value);
        }
        *ret = copy;
        return 0;
}
