/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster user: which machine, and whom inside, a user (or group) number of the host belongs to; which number a user of a machine has
 * on the host; or which numbers machines have. The registry has an index; without one the maps of all leaders are read. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/parse.h"
#include "client/varlink-client.h"
#include "codec/idmap-text.h"
#include "codec/json-text.h"
#include "core/user-name.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/output.h"
#include "muster/table-out.h"
#include "muster/verbs.h"
#include "sys/procfs.h"

#define HOST_MAX 65535 /* numbers up to it are the host's */

struct row {
        char machine[MACHINE_NAME_MAX + 1];
        uint32_t inside, outside, count;
};

/* What a word asks for. */
struct query {
        const char *word;
        bool by_machine; /* else by the number of the host */
        char machine[MACHINE_NAME_MAX + 1];
        uint32_t number;
};

/* ---- the question ---- */

static int parse_query(const struct options *o, const char *word, struct query *ret) {
        struct query q = { .word = word, .by_machine = true };
        const char *colon = strrchr(word, ':');
        AUTO_FREE char *shown = str_escape(word, 80);

        if (parse_u32(word, &q.number) >= 0) {
                q.by_machine = false;
        } else if (colon && colon - word <= MACHINE_NAME_MAX) {
                memcpy(q.machine, word, (size_t) (colon - word));
                if (!name_is_usable(q.machine))
                        return -1;
                if (parse_u32(colon + 1, &q.number) < 0)
                        return fail("\"%s\": behind the colon there must be a number.", strempty(shown)), -1;
        } else if (user_name_parse(o->group, word, q.machine, &q.number) < 0)
                return fail("\"%s\" is none of a number of the host, MACHINE:NUMBER, and %s-MACHINE-NUMBER.",
                            strempty(shown), o->group ? "vg" : "vu"),
                       -1;
        *ret = q;
        return 0;
}

/* ---- from the registry ---- */

static int read_answer(const struct query *q, bool group, const struct varlink_answer *answer, struct row *ret) {
        const char *machine = q->by_machine ? q->machine : varlink_answer_string(answer, "machineName");
        uint64_t number;

        if (varlink_answer_unsigned(answer, group ? "gid" : "uid", UINT32_MAX, &number) < 0 || !machine ||
            !machine_name_is_valid(machine))
                return -EBADMSG;
        *ret = (struct row){ .count = 1 };
        strcpy(ret->machine, machine);
        ret->inside = q->by_machine ? q->number : (uint32_t) number;
        ret->outside = q->by_machine ? (uint32_t) number : q->number;
        return 0;
}

static int ask(const struct options *o, struct varlink_client *c, const struct query *q, struct row *ret) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&parameters);
        struct varlink_answer answer;
        int r;

        json_text_begin_object(&j, NULL);
        if (q->by_machine)
                json_text_string(&j, "name", q->machine);
        json_text_unsigned(&j, o->group ? "gid" : "uid", q->number);
        json_text_end_object(&j);
        buf_append_char(&parameters, '\0');
        r = buf_error(&parameters);
        if (r == 0)
                r = varlink_client_call(c, q->by_machine ? "io.systemd.Machine.MapFrom" : "io.systemd.Machine.MapTo",
                                        parameters.data, &answer);
        if (r < 0)
                return fail_connection(o->run, r);
        if (answer.error)
                r = fail_answer(&answer, "look up", q->word);
        else {
                r = read_answer(q, o->group, &answer, ret);
                r = r < 0 ? fail_connection(o->run, r) : EXIT_SUCCESS;
        }
        varlink_answer_done(&answer);
        return r;
}

/* ---- from the leaders ---- */

struct leader {
        const char *machine;
        struct idmap map;
};

/* All containers whose map can be read. */
struct leaders {
        struct leader *all;
        size_t n;
        struct uidindex *index;
        struct machine_list list;
};

static void leaders_done(struct leaders *l) {
        for (size_t i = 0; i < l->n; i++)
                idmap_done(&l->all[i].map);
        free(l->all);
        uidindex_free(l->index);
        machine_list_done(&l->list);
}

static int read_leader(const struct options *o, const struct machine_view *v, struct leader *ret) {
        AUTO_FREE char *text = NULL;
        size_t size;
        int r;

        if (!v->class || !streq(v->class, "container") || !machine_name_is_valid(v->name))
                return -ENODATA;
        r = proc_read(v->leader.pid, o->group ? "gid_map" : "uid_map", &text, &size);
        if (r < 0)
                return r;
        ret->machine = v->name;
        return idmap_decode(text, size, &ret->map);
}

/* Says what is wrong; leaders_done() in any case. */
static int leaders_read(const struct options *o, struct leaders *l) {
        if (fetch_all(o, false, &l->list) < 0)
                return EXIT_FAILURE;
        l->all = calloc(l->list.n + 1, sizeof(*l->all));
        if (!l->all || uidindex_new(&l->index) < 0)
                return fail("Out of memory.");
        for (size_t i = 0; i < l->list.n; i++)
                if (read_leader(o, l->list.views + i, l->all + l->n) >= 0 &&
                    uidindex_add(l->index, l->all + l->n, &l->all[l->n].map) >= 0)
                        l->n++;
        return EXIT_SUCCESS;
}

static const struct leader *find_machine(const struct leaders *l, const char *name) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->all[i].machine, name))
                        return l->all + i;
        return NULL;
}

static int look(const struct leaders *l, const struct query *q, struct row *ret) {
        const struct leader *m;
        uint32_t number = 0;

        if (q->by_machine) {
                m = find_machine(l, q->machine);
                if (!m)
                        return fail("There is no container \"%s\".", q->machine);
                if (idmap_to_outer(&m->map, q->number, &number) < 0)
                        return fail("\"%s\" has no number %" PRIu32 ".", q->machine, q->number);
        } else {
                m = q->number > HOST_MAX ? uidindex_find(l->index, q->number, &number) : NULL;
                if (!m)
                        return fail("%s belongs to %s.", q->word, q->number > HOST_MAX ? "no machine" : "the host");
        }
        *ret = (struct row){ .count = 1 };
        strcpy(ret->machine, m->machine);
        ret->inside = q->by_machine ? q->number : number;
        ret->outside = q->by_machine ? number : q->number;
        return EXIT_SUCCESS;
}

/* ---- showing ---- */

struct rows {
        struct row *all;
        size_t n;
};

static int add_row(struct rows *rows, const struct row *row) {
        struct row *bigger = reallocarray(rows->all, rows->n + 1, sizeof(*row));

        if (!bigger)
                return fail("Out of memory.");
        rows->all = bigger;
        rows->all[rows->n++] = *row;
        return EXIT_SUCCESS;
}

static int show_json(const struct options *o, const struct rows *rows) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);

        json_text_begin_array(&j, NULL);
        for (size_t i = 0; i < rows->n; i++) {
                const struct row *row = rows->all + i;
                char name[USER_NAME_MAX + 1];

                json_text_begin_object(&j, NULL);
                json_text_string(&j, "kind", o->group ? "group" : "user");
                json_text_string(&j, "machine", row->machine);
                if (row->count == 1 && user_name_make(o->group, row->machine, row->inside, name) >= 0)
                        json_text_string(&j, "name", name);
                else
                        json_text_null(&j, "name");
                json_text_unsigned(&j, "inside", row->inside);
                json_text_unsigned(&j, "host", row->outside);
                json_text_unsigned(&j, "count", row->count);
                json_text_end_object(&j);
        }
        json_text_end_array(&j);
        return output_json(o, &out);
}

/* ranges: of numbers, which have no names. */
static int show_table(const struct options *o, const struct rows *rows, bool ranges) {
        const struct table_column columns[] = {
                { "MACHINE", false }, { "INSIDE", false }, { "HOST", false }, { ranges ? "COUNT" : "NAME", false }
        };
        AUTO(table_freep) struct table *table = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;
        int r = table_new(columns, ELEMENTS(columns), o->legend, o->full, &table);

        for (size_t i = 0; r == 0 && i < rows->n; i++) {
                const struct row *row = rows->all + i;
                char inside[16], outside[16], last[USER_NAME_MAX + 1];

                snprintf(inside, sizeof(inside), "%" PRIu32, row->inside);
                snprintf(outside, sizeof(outside), "%" PRIu32, row->outside);
                if (ranges)
                        snprintf(last, sizeof(last), "%" PRIu32, row->count);
                else if (user_name_make(o->group, row->machine, row->inside, last) < 0)
                        strcpy(last, "-");
                r = table_row(table, (const char *[]){ row->machine, inside, outside, last });
        }
        if (r == 0 && rows->n > 0)
                r = table_print(table, &out);
        if (r < 0)
                return fail("Out of memory.");
        if (ranges && rows->n == 0 && o->legend)
                buf_printf(&out, "No machine has %s of its own.\n", o->group ? "groups" : "users");
        return output_show(o, &out);
}

/* ---- the verb ---- */

/* Machines that share the host's numbers have none of their own. */
static int all_ranges(const struct options *o, struct rows *rows) {
        struct leaders l = { 0 };
        int r = leaders_read(o, &l);

        for (size_t i = 0; i < l.n && r == EXIT_SUCCESS; i++)
                for (size_t k = 0; k < l.all[i].map.n_ranges && r == EXIT_SUCCESS; k++) {
                        const struct idmap_range *range = l.all[i].map.ranges + k;
                        struct row row = { .inside = range->inside, .outside = range->outside, .count = range->count };

                        if (range->outside == 0)
                                continue;
                        strcpy(row.machine, l.all[i].machine);
                        r = add_row(rows, &row);
                }
        leaders_done(&l);
        return r;
}

static int look_up(const struct options *o, char **words, struct rows *rows) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        struct leaders l = { 0 };
        int status = EXIT_SUCCESS, r;

        r = varlink_client_connect(o->run, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (r < 0 && r != -EHOSTDOWN)
                return fail_connection(o->run, r);
        if (!c)
                status = leaders_read(o, &l);
        for (; *words && (c || l.index); words++) {
                struct query q;
                struct row row;

                if (parse_query(o, *words, &q) < 0 || (c ? ask(o, c, &q, &row) : look(&l, &q, &row)) != EXIT_SUCCESS ||
                    add_row(rows, &row) != EXIT_SUCCESS)
                        status = EXIT_FAILURE;
        }
        leaders_done(&l);
        return status;
}

int verb_user(const struct options *o, char **args) {
        struct rows rows = { NULL, 0 };
        int status = *args ? look_up(o, args, &rows) : all_ranges(o, &rows), r = EXIT_SUCCESS;

        if (o->json)
                r = show_json(o, &rows);
        else if (rows.n > 0 || !*args)
                r = show_table(o, &rows, !*args);
        free(rows.all);
        return r != EXIT_SUCCESS ? r : status;
}
