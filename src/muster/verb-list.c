/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster list: the table of machinectl, or JSON with more in it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "codec/json-text.h"
#include "muster/address.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/output.h"
#include "muster/table-out.h"
#include "muster/verbs.h"

static bool is_shown(const struct options *o, const struct machine_view *v) {
        return o->all || v->name[0] != '.';
}

static void addresses_cell(const struct options *o, const struct machine_view *v, struct buf *out) {
        size_t n = v->n_addresses < o->max_addresses ? v->n_addresses : o->max_addresses;

        if (n == 0) {
                buf_append_char(out, '-');
                return;
        }
        for (size_t i = 0; i < n; i++) {
                char text[ADDRESS_TEXT_MAX];

                address_text(v, v->addresses + i, text);
                buf_printf(out, "%s%s", i ? "\n" : "", text);
        }
        if (n < v->n_addresses)
                buf_append_str(out, output_is_utf8() ? "\xe2\x80\xa6" : "...");
}

static int add_row(const struct options *o, struct table *table, const struct machine_view *v) {
        AUTO_FREE char *class = output_safe(v->class, true), *service = output_safe(v->service, true);
        AUTO_FREE char *os = output_safe(machine_view_os(v, "ID"), true);
        AUTO_FREE char *version = output_safe(machine_view_os(v, "VERSION_ID"), true);
        AUTO_BUF struct buf addresses = BUF_EMPTY;

        addresses_cell(o, v, &addresses);
        if (buf_error(&addresses))
                return -ENOMEM;
        return table_row(table, (const char *[]){ v->name, class, service, os, version, addresses.data });
}

static int list_table(const struct options *o, const struct machine_list *l) {
        static const struct table_column columns[] = {
                { "MACHINE", false }, { "CLASS", false },  { "SERVICE", true },
                { "OS", true },       { "VERSION", true }, { "ADDRESSES", false },
        };
        AUTO(table_freep) struct table *table = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;
        size_t shown = 0;
        int r;

        r = table_new(columns, ELEMENTS(columns) - (o->max_addresses == 0), o->legend, o->full, &table);
        for (size_t i = 0; r == 0 && i < l->n; i++) {
                if (!is_shown(o, l->views + i))
                        continue;
                r = add_row(o, table, l->views + i);
                shown++;
        }
        if (r == 0 && shown > 0)
                r = table_print(table, &out);
        if (r < 0)
                return fail("Out of memory.");
        if (o->legend && shown == 0)
                buf_append_str(&out, "No machines.\n");
        else if (o->legend)
                buf_printf(&out, "\n%zu machines listed.\n", shown);
        return output_show(o, &out);
}

/* machinectl makes its JSON out of the cells of its table: its readers expect lines of one text. */
static void addresses_json_text(const struct machine_view *v, struct json_text *j) {
        AUTO_BUF struct buf lines = BUF_EMPTY;

        for (size_t i = 0; i < v->n_addresses; i++) {
                char text[ADDRESS_TEXT_MAX];

                address_text(v, v->addresses + i, text);
                buf_printf(&lines, "%s%s", i ? "\n" : "", text);
        }
        if (v->n_addresses == 0)
                json_text_null(j, "addresses");
        else
                json_text_string(j, "addresses", strempty(lines.data));
}

static void addresses_json(const struct machine_view *v, struct json_text *j) {
        json_text_begin_array(j, "addresses");
        for (size_t i = 0; i < v->n_addresses; i++) {
                char text[ADDRESS_TEXT_MAX];

                address_text(v, v->addresses + i, text);
                json_text_string(j, NULL, text);
        }
        json_text_end_array(j);
}

/* Absent things are null, so that every row has the same keys. */
static void text_or_null(struct json_text *j, const char *key, const char *value) {
        if (isempty(value))
                json_text_null(j, key);
        else
                json_text_string(j, key, value);
}

static int list_json(const struct options *o, const struct machine_list *l) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);

        json_text_begin_array(&j, NULL);
        for (size_t i = 0; i < l->n; i++) {
                const struct machine_view *v = l->views + i;

                if (!is_shown(o, v))
                        continue;
                json_text_begin_object(&j, NULL);
                json_text_string(&j, "machine", v->name);
                text_or_null(&j, "class", v->class);
                text_or_null(&j, "service", v->service);
                text_or_null(&j, "os", machine_view_os(v, "ID"));
                text_or_null(&j, "version", machine_view_os(v, "VERSION_ID"));
                if (o->machinectl)
                        addresses_json_text(v, &j);
                else {
                        addresses_json(v, &j);
                        text_or_null(&j, "unit", v->unit);
                        json_text_unsigned(&j, "leader", (uint64_t) v->leader.pid);
                }
                json_text_end_object(&j);
        }
        json_text_end_array(&j);
        return output_json(o, &out);
}

int verb_list(const struct options *o, char **args) {
        struct machine_list l;
        int r;

        if (fetch_all(o, true, &l) < 0)
                return EXIT_FAILURE;
        r = o->json ? list_json(o, &l) : list_table(o, &l);
        if (!l.from_daemon && !o->quiet && isatty(STDERR_FILENO))
                fprintf(stderr,
                        "No registry is running: this is what %s/systemd/machines says, without systems and "
                        "addresses.\n",
                        o->run);
        machine_list_done(&l);
        return r;
}
