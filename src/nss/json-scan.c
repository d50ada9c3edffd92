/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A push parser: one byte, one step. It runs inside of whatever program looks up a name, on any thread and any size of
 * stack, so it keeps no more of a message than the value that it is at. */
#include "nss/json-scan.h"

#include <errno.h>
#include <string.h>

enum state {
        STATE_VALUE,
        STATE_FIRST_ELEMENT, /* a value, or the array ends */
        STATE_FIRST_NAME,    /* a name, or the object ends */
        STATE_NAME,
        STATE_COLON,
        STATE_AFTER, /* a comma, an end, or at depth 0 the NUL */
        STATE_STRING,
        STATE_ESCAPE,
        STATE_UNICODE,
        STATE_WORD,
};

void json_scan_init(struct json_scan *s, json_scan_fn on_value, void *userdata) {
        memset(s, 0, sizeof(*s));
        s->on_value = on_value;
        s->userdata = userdata;
        s->state = STATE_VALUE;
}

/* ---- path ---- */

static void path_put(struct json_scan *s, char c) {
        if (s->path_size < JSON_SCAN_PATH_MAX)
                s->path[s->path_size++] = c;
        else
                s->path[JSON_SCAN_PATH_MAX - 1] = '?';
        s->path[s->path_size] = '\0';
}

static void path_cut(struct json_scan *s, size_t size) {
        s->path_size = (uint8_t) size;
        s->path[size] = '\0';
}

static bool in_array(const struct json_scan *s) {
        return s->depth > 0 && (s->arrays >> (s->depth - 1) & 1);
}

/* The path of the container that we are in, and behind it the name just read. */
static void path_enter_member(struct json_scan *s) {
        path_cut(s, s->lengths[s->depth - 1]);
        if (s->path_size > 0)
                path_put(s, '.');
        for (size_t i = 0; i < s->text_size; i++)
                path_put(s, strchr(".[", s->text[i]) ? '?' : s->text[i]);
        if (s->too_long)
                path_put(s, '?');
}

static void path_enter_element(struct json_scan *s) {
        path_cut(s, s->lengths[s->depth - 1]);
        path_put(s, '[');
        path_put(s, ']');
}

/* ---- values ---- */

static void text_begin(struct json_scan *s) {
        s->text_size = 0;
        s->text[0] = '\0';
        s->too_long = false;
}

static void text_put(struct json_scan *s, char c) {
        if (s->text_size == JSON_SCAN_TEXT_MAX) {
                s->too_long = true;
                return;
        }
        s->text[s->text_size++] = c;
        s->text[s->text_size] = '\0';
}

static void tell(struct json_scan *s, enum json_scan_event event, const char *text) {
        s->on_value(s->userdata, event, s->path, text);
}

static int open_container(struct json_scan *s, bool array) {
        if (s->depth == JSON_SCAN_DEPTH_MAX)
                return -EBADMSG;
        tell(s, array ? JSON_SCAN_BEGIN_ARRAY : JSON_SCAN_BEGIN_OBJECT, NULL);
        s->lengths[s->depth] = s->path_size;
        if (array)
                s->arrays |= UINT32_C(1) << s->depth;
        else
                s->arrays &= ~(UINT32_C(1) << s->depth);
        s->depth++;
        if (array)
                path_enter_element(s);
        s->state = array ? STATE_FIRST_ELEMENT : STATE_FIRST_NAME;
        return 0;
}

static int close_container(struct json_scan *s) {
        bool array = in_array(s);

        path_cut(s, s->lengths[--s->depth]);
        tell(s, array ? JSON_SCAN_END_ARRAY : JSON_SCAN_END_OBJECT, NULL);
        s->state = STATE_AFTER;
        return 0;
}

static size_t skip_digits(const char *s) {
        return strspn(s, "0123456789");
}

static bool is_number(const char *s) {
        size_t n;

        s += *s == '-';
        n = skip_digits(s);
        if (n == 0 || (n > 1 && *s == '0'))
                return false;
        s += n;
        if (*s == '.') {
                n = skip_digits(++s);
                if (n == 0)
                        return false;
                s += n;
        }
        if (*s == 'e' || *s == 'E') {
                s++;
                s += *s == '+' || *s == '-';
                n = skip_digits(s);
                if (n == 0)
                        return false;
                s += n;
        }
        return *s == '\0';
}

static int end_word(struct json_scan *s) {
        if (s->too_long || (!is_number(s->text) && strcmp(s->text, "true") != 0 && strcmp(s->text, "false") != 0 &&
                            strcmp(s->text, "null") != 0))
                return -EBADMSG;
        tell(s, JSON_SCAN_WORD, s->text);
        s->state = STATE_AFTER;
        return 0;
}

static void end_string(struct json_scan *s) {
        if (s->is_name) {
                path_enter_member(s);
                s->state = STATE_COLON;
                return;
        }
        tell(s, JSON_SCAN_STRING, s->too_long ? NULL : s->text);
        s->state = STATE_AFTER;
}

/* ---- bytes ---- */

static bool is_word_byte(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

static int begin_value(struct json_scan *s, char c) {
        if (c == '{' || c == '[')
                return open_container(s, c == '[');
        text_begin(s);
        if (c == '"') {
                s->is_name = false;
                s->state = STATE_STRING;
                return 0;
        }
        if (!is_word_byte(c))
                return -EBADMSG;
        text_put(s, c);
        s->state = STATE_WORD;
        return 0;
}

static int begin_name(struct json_scan *s, char c) {
        if (c != '"')
                return -EBADMSG;
        text_begin(s);
        s->is_name = true;
        s->state = STATE_STRING;
        return 0;
}

static int after_value(struct json_scan *s, char c) {
        if (s->depth == 0)
                return c == '\0' ? 1 : -EBADMSG;
        if (c == ',') {
                s->state = in_array(s) ? STATE_VALUE : STATE_NAME;
                if (in_array(s))
                        path_enter_element(s);
                return 0;
        }
        return c == (in_array(s) ? ']' : '}') ? close_container(s) : -EBADMSG;
}

static int between(struct json_scan *s, char c) {
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
                return 0;
        switch (s->state) {
        case STATE_FIRST_ELEMENT:
                return c == ']' ? close_container(s) : begin_value(s, c);
        case STATE_VALUE:
                return begin_value(s, c);
        case STATE_FIRST_NAME:
                return c == '}' ? close_container(s) : begin_name(s, c);
        case STATE_NAME:
                return begin_name(s, c);
        case STATE_COLON:
                s->state = STATE_VALUE;
                return c == ':' ? 0 : -EBADMSG;
        default:
                return after_value(s, c);
        }
}

static int in_string(struct json_scan *s, char c) {
        if ((unsigned char) c < ' ')
                return -EBADMSG;
        if (c == '"')
                end_string(s);
        else if (c == '\\')
                s->state = STATE_ESCAPE;
        else
                text_put(s, (unsigned char) c < 0x7f ? c : '?');
        return 0;
}

static int in_escape(struct json_scan *s, char c) {
        if (c == 'u') {
                s->n_digits = 0;
                s->state = STATE_UNICODE;
                return 0;
        }
        if (c == '\0' || !strchr("\"\\/bfnrt", c))
                return -EBADMSG;
        text_put(s, c == '"' || c == '\\' || c == '/' ? c : '?');
        s->state = STATE_STRING;
        return 0;
}

/* No name of a machine, and none that we look for, has anything in it that must be written so. */
static int in_unicode(struct json_scan *s, char c) {
        if (c == '\0' || !strchr("0123456789abcdefABCDEF", c))
                return -EBADMSG;
        if (++s->n_digits == 4) {
                text_put(s, '?');
                s->state = STATE_STRING;
        }
        return 0;
}

static int step(struct json_scan *s, char c) {
        int r;

        switch (s->state) {
        case STATE_STRING:
                return in_string(s, c);
        case STATE_ESCAPE:
                return in_escape(s, c);
        case STATE_UNICODE:
                return in_unicode(s, c);
        case STATE_WORD:
                if (is_word_byte(c)) {
                        text_put(s, c);
                        return 0;
                }
                r = end_word(s);
                return r < 0 ? r : between(s, c);
        default:
                return between(s, c);
        }
}

int json_scan_feed(struct json_scan *s, const char *data, size_t size) {
        for (size_t i = 0; i < size; i++) {
                int r = step(s, data[i]);

                if (r != 0)
                        return r;
        }
        return 0;
}

int json_scan_number(const char *text, uint32_t max, uint32_t *ret) {
        uint32_t v = 0;

        if (!text || !*text)
                return -EINVAL;
        for (; *text; text++) {
                uint32_t digit = (uint32_t) *text - '0';

                if (digit > 9)
                        return -EINVAL;
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
                        return -ERANGE;
        }
        if (v > max)
                return -ERANGE;
        *ret = v;
        return 0;
}
