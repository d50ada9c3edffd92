/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Columns of a fixed width, and not a table that is laid out in the end: with --follow there is no end. */
#include "muster/event-text.h"

#include <pwd.h>
#include <stdio.h>
#include <time.h>

#include "codec/event-json.h"
#include "codec/json-out.h"
#include "muster/output.h"

#define COLUMNS "%8s  %-19s  %-13s  %-20s  %-18s  %s\n"

void event_text_header(const struct options *o, struct buf *out) {
        if (!o->json && o->legend)
                buf_printf(out, COLUMNS, "NUMBER", "TIME", "EVENT", "MACHINE", "BY", "DETAILS");
}

static void time_cell(uint64_t usec, char *ret, size_t size) {
        time_t seconds = (time_t) (usec / 1000000);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                snprintf(ret, size, "-");
}

/* "root[1234]". The last user is remembered: mostly it is one, and asking for the name may be slow. */
static void actor_cell(const struct event *e, char *ret, size_t size) {
        static char name[64];
        static uid_t last = EVENT_NOBODY;
        char pid[16] = "";

        if (e->actor_uid == EVENT_NOBODY) {
                snprintf(ret, size, "-");
                return;
        }
        if (e->actor_uid != last) {
                const struct passwd *user = getpwuid(e->actor_uid);
                AUTO_FREE char *safe = output_safe(user ? user->pw_name : NULL, true);

                if (user)
                        snprintf(name, sizeof(name), "%s", safe);
                else
                        snprintf(name, sizeof(name), "%u", (unsigned) e->actor_uid);
                last = e->actor_uid;
        }
        if (e->actor_pid > 0)
                snprintf(pid, sizeof(pid), "[%d]", (int) e->actor_pid);
        snprintf(ret, size, "%s%s", name, pid);
}

static void details_cell(const struct event *e, struct buf *out) {
        for (size_t i = 0; i < e->n_details; i++) {
                AUTO_FREE char *value = output_safe(e->details[i].value, true);

                buf_printf(out, "%s%s=%s", i ? " " : "", e->details[i].key, value);
        }
        buf_append_char(out, '\0');
}

static void line(const struct event *e, struct buf *out) {
        AUTO_BUF struct buf details = BUF_EMPTY;
        char number[24], when[32], actor[96];

        snprintf(number, sizeof(number), "%llu", (unsigned long long) e->sequence);
        time_cell(e->realtime_usec, when, sizeof(when));
        actor_cell(e, actor, sizeof(actor));
        details_cell(e, &details);
        buf_printf(out, COLUMNS, number, when, e->kind, e->machine, actor, buf_error(&details) ? "" : details.data);
        while (out->size >= 2 && out->data[out->size - 2] == ' ') { /* an empty last column */
                out->data[out->size - 2] = '\n';
                out->size--;
        }
}

/* object: compact, without a newline. */
static void json(const struct options *o, const struct buf *object, struct buf *out) {
        if (buf_error(object))
                out->error = buf_error(object);
        else if (o->json == JSON_PRETTY)
                (void) json_pretty(object->data, object->size, out);
        else {
                buf_append(out, object->data, object->size);
                buf_append_char(out, '\n');
        }
}

void event_text(const struct options *o, const struct event *e, struct buf *out) {
        AUTO_BUF struct buf object = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&object);

        if (!o->json) {
                line(e, out);
                return;
        }
        json_text_begin_object(&j, NULL);
        event_json_add(&j, e);
        json_text_end_object(&j);
        json(o, &object, out);
}

void event_text_gap(const struct options *o, const struct event_gap *gap, struct buf *out) {
        AUTO_BUF struct buf object = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&object);

        if (!o->json) {
                buf_printf(out, "-- Events %llu to %llu are missing: they are not kept any more. --\n",
                           (unsigned long long) gap->from, (unsigned long long) gap->to);
                return;
        }
        json_text_begin_object(&j, NULL);
        event_json_add_gap(&j, gap);
        json_text_end_object(&j);
        json(o, &object, out);
}
