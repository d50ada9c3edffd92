/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster doctor: each check one line; a missing thing says what it costs. Nothing here makes the exit status 1: most things
 * are missing on purpose somewhere. */
#include "codec/json-text.h"
#include "muster/doctor-checks.h"
#include "muster/output.h"
#include "muster/verbs.h"

static void line(const struct doctor_check *check, bool there, struct buf *detail, struct buf *out) {
        const char *colour = there ? output_green() : output_red();

        buf_append_char(detail, '\0');
        buf_printf(out, "%s%-7s%s  %-18s  %s\n", colour, there ? "ok" : "missing", output_normal(), check->name,
                   buf_error(detail) ? "" : detail->data);
        if (!there && *check->without)
                buf_printf(out, "%29s%s\n", "without it: ", check->without);
}

static void member(const struct doctor_check *check, bool there, struct buf *detail, struct json_text *j) {
        buf_append_char(detail, '\0');
        json_text_begin_object(j, NULL);
        json_text_string(j, "check", check->name);
        json_text_bool(j, "ok", there);
        json_text_string(j, "detail", buf_error(detail) ? "" : detail->data);
        if (!there)
                json_text_string_if(j, "without", check->without);
        json_text_end_object(j);
}

int verb_doctor(const struct options *o, char **args) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);
        const struct doctor_check *checks;
        size_t n;

        checks = doctor_checks(&n);
        if (o->json)
                json_text_begin_array(&j, NULL);
        for (size_t i = 0; i < n; i++) {
                AUTO_BUF struct buf detail = BUF_EMPTY;
                bool there = checks[i].look(o, &detail);

                if (o->json)
                        member(checks + i, there, &detail, &j);
                else
                        line(checks + i, there, &detail, &out);
        }
        if (o->json)
                json_text_end_array(&j);
        return o->json ? output_json(o, &out) : output_show(o, &out);
}
