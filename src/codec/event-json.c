/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Written without a tree, for it is done for each event; read by jansson, within bounds that are measured on the plain text
 * first. */
#include "codec/event-json.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "codec/json-bounds.h"

/* ---- writing ---- */

void event_json_add(struct json_text *j, const struct event *e) {
        char id[ID128_STRING_SIZE];

        json_text_unsigned(j, "sequence", e->sequence);
        json_text_unsigned(j, "realtime", e->realtime_usec);
        json_text_unsigned(j, "monotonic", e->monotonic_usec);
        json_text_string(j, "bootId", id128_to_string(&e->boot_id, id));
        json_text_string(j, "kind", e->kind);
        json_text_string(j, "machine", e->machine);
        json_text_string(j, "class", machine_class_to_string(e->class));
        if (e->leader > 0)
                json_text_signed(j, "leader", e->leader);
        if (e->actor_uid != EVENT_NOBODY) {
                json_text_begin_object(j, "actor");
                json_text_unsigned(j, "uid", e->actor_uid);
                if (e->actor_pid > 0)
                        json_text_signed(j, "pid", e->actor_pid);
                json_text_end_object(j);
        }
        if (e->n_details == 0)
                return;
        json_text_begin_object(j, "details");
        for (size_t i = 0; i < e->n_details; i++)
                json_text_string(j, e->details[i].key, e->details[i].value);
        json_text_end_object(j);
}

void event_json_add_gap(struct json_text *j, const struct event_gap *gap) {
        json_text_begin_object(j, "gap");
        json_text_unsigned(j, "from", gap->from);
        json_text_unsigned(j, "to", gap->to);
        json_text_end_object(j);
}

int event_line_encode(const struct event *e, struct buf *out) {
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        event_json_add(&j, e);
        json_text_end_object(&j);
        buf_append_char(out, '\n');
        return buf_error(out);
}

/* ---- reading ---- */

static bool get_number(const json_t *object, const char *key, uint64_t max, uint64_t *ret) {
        const json_t *value = json_object_get(object, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t) json_integer_value(value) > max)
                return false;
        *ret = (uint64_t) json_integer_value(value);
        return true;
}

static bool get_id(const json_t *object, const char *key, struct id128 *ret) {
        const char *text = json_string_value(json_object_get(object, key));

        return text && id128_from_string(text, ret) >= 0;
}

/* Absent counts as 0. */
static bool get_pid(const json_t *object, const char *key, pid_t *ret) {
        uint64_t number = 0;

        if (json_object_get(object, key) && !get_number(object, key, INT32_MAX, &number))
                return false;
        *ret = (pid_t) number;
        return true;
}

static bool get_actor(const json_t *object, struct event *e) {
        const json_t *actor = json_object_get(object, "actor");
        uint64_t uid;

        e->actor_uid = EVENT_NOBODY;
        if (!actor)
                return true;
        if (!json_is_object(actor) || !get_number(actor, "uid", UINT32_MAX - 1, &uid) ||
            !get_pid(actor, "pid", &e->actor_pid))
                return false;
        e->actor_uid = (uid_t) uid;
        return true;
}

/* Into a table of EVENT_DETAILS_MAX. */
static bool get_details(json_t *object, struct event_detail *details, size_t *ret_n) {
        json_t *all = json_object_get(object, "details"), *value;
        const char *key;
        size_t n = 0;

        *ret_n = 0;
        if (!all)
                return true;
        if (!json_is_object(all) || json_object_size(all) > EVENT_DETAILS_MAX)
                return false;
        json_object_foreach (all, key, value) {
                if (!json_is_string(value))
                        return false;
                details[n++] = (struct event_detail){ key, json_string_value(value) };
        }
        *ret_n = n;
        return true;
}

static int event_from_json(json_t *object, struct event **ret) {
        const char *class = json_string_value(json_object_get(object, "class"));
        struct event_detail details[EVENT_DETAILS_MAX];
        struct event e = { .details = details };
        int class_number = class ? machine_class_from_string(class) : -EINVAL;

        e.kind = json_string_value(json_object_get(object, "kind"));
        e.machine = json_string_value(json_object_get(object, "machine"));
        if (!e.kind || !e.machine || class_number < 0 ||
            !get_number(object, "sequence", EVENT_SEQUENCE_MAX, &e.sequence) ||
            !get_number(object, "realtime", INT64_MAX, &e.realtime_usec) ||
            !get_number(object, "monotonic", INT64_MAX, &e.monotonic_usec) || !get_id(object, "bootId", &e.boot_id) ||
            !get_pid(object, "leader", &e.leader) || !get_actor(object, &e) ||
            !get_details(object, details, &e.n_details))
                return -EBADMSG;
        e.class = (enum machine_class) class_number;
        return event_is_valid(&e) ? event_copy(&e, ret) : -EBADMSG;
}

int event_line_decode(const char *text, size_t size, struct event **ret) {
        static const struct json_bounds bounds = { EVENT_LINE_MAX, 4, 64 };
        json_t *top;
        int r;

        r = json_bounds_check(text, size, &bounds);
        if (r < 0)
                return r;
        top = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        r = json_is_object(top) ? event_from_json(top, ret) : -EBADMSG;
        json_decref(top);
        return r;
}

/* 0 or -errno; *bad is set for the first line that is no event of the order. */
static int take_line(const char *line, size_t size, uint64_t *last, int (*found)(void *userdata, struct event **e),
                     void *userdata, const char **ret_why) {
        AUTO_FREE struct event *e = NULL;
        int r;

        r = event_line_decode(line, size, &e);
        if (r == -EBADMSG || r == -EMSGSIZE) {
                *ret_why = r == -EBADMSG ? "it is no event" : "it is too long for an event";
                return 0;
        }
        if (r < 0)
                return r;
        if (e->sequence <= *last || e->sequence > EVENT_SEQUENCE_MAX / 2) { /* numbers must be left behind it */
                *ret_why = e->sequence <= *last ? "its number is not above that of the event before it"
                                                : "its number is out of all proportion";
                return 0;
        }
        *last = e->sequence;
        return found(userdata, &e);
}

/* As a writer leaves it that was killed within a line. */
static bool is_beginning(const char *line, size_t size) {
        static const char head[] = "{\"sequence\":";
        size_t n = size < strlen(head) ? size : strlen(head);

        return size <= EVENT_LINE_MAX && memcmp(line, head, n) == 0;
}

int event_lines_decode(const char *text, size_t size, uint64_t after, int (*found)(void *userdata, struct event **e),
                       void *userdata, struct diag *d) {
        const char *end = text + size;
        unsigned line = 0;
        bool bad = false;

        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t) (end - text)), *why = NULL;
                int r;

                line++;
                if (!newline && !bad) {
                        diag_set(d, 0, NULL, "the last line has no end");
                        d->line = line;
                        return is_beginning(text, (size_t) (end - text)) ? EVENT_LINES_TORN : EVENT_LINES_BAD;
                }
                if (!newline)
                        break;
                r = take_line(text, (size_t) (newline - text), &after, found, userdata, &why);
                if (r < 0)
                        return r;
                if (why && !bad) {
                        bad = true;
                        diag_set(d, 0, NULL, "%s", why);
                        d->line = line;
                }
                text = newline + 1;
        }
        return bad ? EVENT_LINES_BAD : EVENT_LINES_GOOD;
}

/* ---- replies ---- */

int event_reply_decode(const struct varlink_answer *answer, struct event_reply *ret) {
        json_t *event = json_object_get(answer->parameters, "event");
        const json_t *gap = json_object_get(answer->parameters, "gap");
        const json_t *position = json_object_get(answer->parameters, "position");
        struct event_reply reply = { .event = NULL };

        if (json_is_object(gap) && get_number(gap, "from", EVENT_SEQUENCE_MAX, &reply.gap.from) &&
            get_number(gap, "to", EVENT_SEQUENCE_MAX, &reply.gap.to) && reply.gap.from > 0 &&
            reply.gap.from <= reply.gap.to) {
                *ret = reply;
                return 0;
        }
        if (json_is_object(position) &&
            get_number(position, "sequence", EVENT_SEQUENCE_MAX, &reply.position.sequence) &&
            get_id(position, "bootId", &reply.position.boot_id)) {
                reply.position.set = true;
                *ret = reply;
                return 0;
        }
        if (json_is_object(event)) {
                int r = event_from_json(event, &reply.event);

                if (r >= 0)
                        *ret = reply;
                return r;
        }
        return -EBADMSG;
}
