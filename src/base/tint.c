/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ECMA-48 and xterm's control sequences: ESC [ parameters final; strings (ESC ] and others) up to BEL or ESC \. */
#include "base/tint.h"

#include <string.h>

#define ESCAPE '\033'
#define CANCEL '\030'
#define SUBSTITUTE '\032'
#define BELL '\007'

enum { TEXT, ESCAPED, CONTROL, STRING, STRING_ESCAPED };

void tint_init(struct tint *t, const char *color) {
        *t = (struct tint){ .state = TEXT };
        if (!color || !*color || strlen(color) > TINT_COLOR_MAX)
                return;
        t->size = (size_t) (stpcpy(stpcpy(stpcpy(t->sequence, "\033["), color), "m") - t->sequence);
}

/* The number at *p, which moves behind it and the ';' that follows; an empty one is 0. -1: no number. */
static int next_number(const char **p) {
        int v = 0;

        for (; **p && **p != ';'; (*p)++)
                v = v < 0 || **p < '0' || **p > '9' || v > 999 ? -1 : v * 10 + (**p - '0');
        if (**p == ';')
                (*p)++;
        return v;
}

static bool is_background(int v) {
        return (v >= 40 && v <= 48) || (v >= 100 && v <= 107);
}

/* Does SGR with these parameters leave the terminal's own background? */
static bool takes_away(const char *p) {
        bool away = !*p; /* ESC [ m is ESC [ 0 m */

        while (*p) {
                int v = next_number(&p);

                if (v == 0 || v == 49)
                        away = true;
                else if (is_background(v))
                        away = false;
                if (v == 38 || v == 48 || v == 58) { /* a colour by number, or by three of them */
                        int how = next_number(&p);

                        for (int i = how == 5 ? 1 : how == 2 ? 3 : 0; i > 0; i--)
                                (void) next_number(&p);
                }
        }
        return away;
}

static void begin_control(struct tint *t) {
        t->state = CONTROL;
        t->n_parameters = 0;
        t->private = t->soft_reset = false;
}

/* True: the background is gone. */
static bool escaped(struct tint *t, char c) {
        t->state = TEXT;
        if (c == '[')
                begin_control(t);
        else if (strchr("]PX^_", c) && c)
                t->state = STRING;
        else if (c == ESCAPE || (c >= ' ' && c <= '/'))
                t->state = ESCAPED;
        return c == 'c'; /* a full reset */
}

static bool control(struct tint *t, char c) {
        if (c >= '0' && c <= '?') {
                t->private = t->private || c > ';' || c == ':' || t->n_parameters + 1 == sizeof(t->parameters);
                if (!t->private)
                        t->parameters[t->n_parameters++] = c;
                return false;
        }
        if (c >= ' ' && c <= '/') {
                t->soft_reset = c == '!';
                t->private = t->private || c != '!';
                return false;
        }
        t->parameters[t->n_parameters] = '\0';
        t->state = c == ESCAPE ? ESCAPED : TEXT;
        if (c == 'm')
                return !t->private && !t->soft_reset && takes_away(t->parameters);
        return c == 'p' && t->soft_reset;
}

static bool take(struct tint *t, char c) {
        if (c == CANCEL || c == SUBSTITUTE) {
                t->state = TEXT;
                return false;
        }
        switch (t->state) {
        case ESCAPED:
                return escaped(t, c);
        case CONTROL:
                return control(t, c);
        case STRING_ESCAPED:
                t->state = TEXT;
                return c != '\\' && escaped(t, c);
        case STRING:
                t->state = c == BELL ? TEXT : c == ESCAPE ? STRING_ESCAPED : STRING;
                return false;
        default:
                t->state = c == ESCAPE ? ESCAPED : TEXT;
                return false;
        }
}

size_t tint_feed(struct tint *t, const char *in, size_t *n, char *out, size_t room) {
        size_t used = 0, written = 0;

        for (; used < *n && room - written > t->size; used++) {
                out[written++] = in[used];
                if (t->size > 0 && take(t, in[used])) {
                        memcpy(out + written, t->sequence, t->size);
                        written += t->size;
                }
        }
        *n = used;
        return written;
}
