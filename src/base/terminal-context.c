/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/terminal-context.h"

#include <stdint.h>
#include <string.h>

#define RECORD "\033]3008;"
#define END_OF_STRING "\033\\"
#define KEEP_TITLE "\033[22;2t"
#define SET_TITLE "\033]2;"
#define OLD_TITLE "\033[23;2t"
/* The first screen, without mouse; DECSTR, no colours, lines wrap: whoever drew there may have been killed. */
#define SOFT_RESET "\033[?47l\033[?1000;1002;1003;1006l\033[!p\033[0m\033[?7h"

struct text {
        char *at;
        size_t left; /* with room for a NUL */
        bool full;
};

static void add_bytes(struct text *t, const char *s, size_t n) {
        if (t->full || n >= t->left) {
                t->full = true;
                return;
        }
        memcpy(t->at, s, n);
        t->at += n;
        t->left -= n;
}

static void add(struct text *t, const char *s) {
        add_bytes(t, s, strlen(s));
}

static bool is_plain(uint8_t c) {
        return c >= ' ' && c <= '~' && c != ';' && c != '\\';
}

/* A value of a record: everything that could end it is spelled "\xHH". */
static void add_value(struct text *t, const char *name, const char *value) {
        static const char digits[] = "0123456789abcdef";

        if (!value || !*value)
                return;
        add(t, name);
        for (; *value; value++) {
                uint8_t c = (uint8_t) *value;
                char spelled[] = { '\\', 'x', digits[c >> 4], digits[c & 15] };

                if (is_plain(c))
                        add_bytes(t, value, 1);
                else
                        add_bytes(t, spelled, sizeof(spelled));
        }
}

static void add_number(struct text *t, const char *name, unsigned long v) {
        char digits[24];
        size_t i = sizeof(digits);

        do
                digits[--i] = (char) ('0' + v % 10);
        while (v /= 10);
        add(t, name);
        add_bytes(t, digits + i, sizeof(digits) - i);
}

static void add_title(struct text *t, const char *s) {
        for (; *s; s++)
                add_bytes(t, is_plain((uint8_t) *s) ? s : "?", 1);
}

static size_t finish(struct text *t, const char *buffer, size_t size) {
        if (t->full || size == 0) {
                if (size > 0)
                        *(t->at = (char *) buffer) = '\0';
                return 0;
        }
        *t->at = '\0';
        return (size_t) (t->at - buffer);
}

size_t terminal_context_begin(const struct terminal_context *c, bool title, char *buffer, size_t size) {
        struct text t = { buffer, size, false };

        add(&t, RECORD "start=");
        add(&t, c->id);
        add_value(&t, ";user=", c->user);
        add_value(&t, ";hostname=", c->hostname);
        add_value(&t, ";machineid=", c->machine_id);
        add_value(&t, ";bootid=", c->boot_id);
        add_number(&t, ";pid=", c->pid);
        add_value(&t, ";comm=", c->program);
        add_value(&t, ";container=", c->container);
        add(&t, ";type=container" END_OF_STRING);
        if (title && c->container) {
                add(&t, KEEP_TITLE SET_TITLE "Container ");
                add_title(&t, c->container);
                add(&t, c->hostname ? " on " : "");
                add_title(&t, c->hostname ? c->hostname : "");
                add(&t, END_OF_STRING);
        }
        return finish(&t, buffer, size);
}

size_t terminal_context_end(const struct terminal_context *c, bool title, char *buffer, size_t size) {
        struct text t = { buffer, size, false };

        if (title && c->container)
                add(&t, OLD_TITLE SOFT_RESET);
        add(&t, RECORD "end=");
        add(&t, c->id);
        add(&t, END_OF_STRING);
        return finish(&t, buffer, size);
}
