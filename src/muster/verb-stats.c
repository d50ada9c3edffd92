/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster stats: what machines use, as a table or, with more of it, as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "client/varlink-client.h"
#include "codec/json-text.h"
#include "core/stats.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/output.h"
#include "muster/table-out.h"
#include "muster/verbs.h"

#define CELL_MAX 32
#define COLUMNS 6

struct row {
        const char *name; /* borrowed */
        uint64_t monotonic_usec;
        struct machine_stats stats;
};

struct report {
        struct table *table;
        struct json_text *json;
        size_t shown;
};

/* ---- asking ---- */

static void take_answer(const struct varlink_answer *answer, struct row *row) {
        machine_stats_init(&row->stats);
        if (varlink_answer_unsigned(answer, "monotonic", INT64_MAX, &row->monotonic_usec) < 0)
                row->monotonic_usec = 0;
        for (int i = 0; i < _MACHINE_STAT_MAX; i++)
                if (varlink_answer_unsigned(answer, machine_stat_to_string((enum machine_stat) i), INT64_MAX,
                                            row->stats.values + i) < 0)
                        row->stats.values[i] = STAT_UNKNOWN;
}

/* gone_is_fine: it was listed a moment ago. *ret_found: the row was filled. */
static int ask(const struct options *o, struct varlink_client *c, const char *name, bool gone_is_fine, struct row *ret,
               bool *ret_found) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&parameters);
        struct varlink_answer answer;
        int r;

        *ret_found = false;
        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", name);
        json_text_end_object(&j);
        buf_append_char(&parameters, '\0');
        r = buf_error(&parameters);
        if (r == 0)
                r = varlink_client_call(c, "org.muster.Machine1.Stats", parameters.data, &answer);
        if (r < 0)
                return fail_connection(o->run, r);
        if (!answer.error) {
                ret->name = name;
                take_answer(&answer, ret);
                *ret_found = true;
        } else if (streq(answer.error, "org.muster.Machine1.NoSuchMachine"))
                r = gone_is_fine ? EXIT_SUCCESS : fail("There is no machine \"%s\".", name);
        else
                r = fail_answer(&answer, "measure", name);
        varlink_answer_done(&answer);
        return r;
}

/* ---- showing ---- */

static void size_cell(uint64_t bytes, char ret[static CELL_MAX]) {
        static const char units[] = "BKMGTPE";
        double value = (double) bytes;
        size_t unit = 0;

        for (; value >= 1024 && unit < sizeof(units) - 2; unit++)
                value /= 1024;
        if (bytes == STAT_UNKNOWN)
                memcpy(ret, "-", 2);
        else
                snprintf(ret, CELL_MAX, unit == 0 ? "%.0f%c" : "%.1f%c", value, units[unit]);
}

static void time_cell(uint64_t usec, char ret[static CELL_MAX]) {
        if (usec == STAT_UNKNOWN)
                memcpy(ret, "-", 2);
        else
                snprintf(ret, CELL_MAX, "%" PRIu64 ".%02us", usec / 1000000, (unsigned) (usec % 1000000 / 10000));
}

static void number_cell(uint64_t number, char ret[static CELL_MAX]) {
        if (number == STAT_UNKNOWN)
                memcpy(ret, "-", 2);
        else
                snprintf(ret, CELL_MAX, "%" PRIu64, number);
}

static int show_row(struct table *table, const struct row *row) {
        const uint64_t *v = row->stats.values;
        char cpu[CELL_MAX], memory[CELL_MAX], tasks[CELL_MAX], reads[CELL_MAX], writes[CELL_MAX];

        time_cell(v[STAT_CPU_USAGE], cpu);
        size_cell(v[STAT_MEMORY_CURRENT], memory);
        number_cell(v[STAT_TASKS_CURRENT], tasks);
        size_cell(v[STAT_IO_READ_BYTES], reads);
        size_cell(v[STAT_IO_WRITE_BYTES], writes);
        return table_row(table, (const char *[COLUMNS]){ row->name, cpu, memory, tasks, reads, writes });
}

/* What is not known is null, so that every row has the same keys. */
static void show_json(struct json_text *j, const struct row *row) {
        json_text_begin_object(j, NULL);
        json_text_string(j, "machine", row->name);
        json_text_unsigned(j, "monotonic", row->monotonic_usec);
        for (int i = 0; i < _MACHINE_STAT_MAX; i++) {
                const char *key = machine_stat_to_string((enum machine_stat) i);

                if (row->stats.values[i] == STAT_UNKNOWN)
                        json_text_null(j, key);
                else
                        json_text_unsigned(j, key, row->stats.values[i]);
        }
        json_text_end_object(j);
}

static int report_add(const struct options *o, struct report *report, const struct row *row) {
        report->shown++;
        if (o->json) {
                show_json(report->json, row);
                return EXIT_SUCCESS;
        }
        return show_row(report->table, row) < 0 ? fail("Out of memory.") : EXIT_SUCCESS;
}

static int report_one(const struct options *o, struct varlink_client *c, const char *name, bool listed,
                      struct report *report) {
        struct row row;
        bool found;
        int r = ask(o, c, name, listed, &row, &found);

        return found ? report_add(o, report, &row) : r;
}

static int report_all(const struct options *o, struct varlink_client *c, struct report *report) {
        struct machine_list l;
        int status = EXIT_SUCCESS;

        if (fetch_all(o, false, &l) < 0)
                return EXIT_FAILURE;
        for (size_t i = 0; i < l.n && status == EXIT_SUCCESS; i++)
                if (l.views[i].name[0] != '.')
                        status = report_one(o, c, l.views[i].name, true, report);
        machine_list_done(&l);
        return status;
}

static int report_named(const struct options *o, struct varlink_client *c, char **names, struct report *report) {
        int status = EXIT_SUCCESS;

        for (; *names; names++)
                if (!name_is_usable(*names) || report_one(o, c, *names, false, report) != EXIT_SUCCESS)
                        status = EXIT_FAILURE;
        return status;
}

int verb_stats(const struct options *o, char **args) {
        static const struct table_column columns[COLUMNS] = { { "MACHINE", false }, { "CPU", false },
                                                              { "MEMORY", false },  { "TASKS", false },
                                                              { "READ", false },    { "WRITTEN", false } };
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        AUTO(table_freep) struct table *table = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);
        struct report report;
        int status, r;

        r = varlink_client_connect(o->run, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (r < 0)
                return fail_connection(o->run, r);
        if (table_new(columns, COLUMNS, o->legend, o->full, &table) < 0)
                return fail("Out of memory.");
        report = (struct report){ table, &j, 0 };
        if (o->json)
                json_text_begin_array(&j, NULL);
        status = *args ? report_named(o, c, args, &report) : report_all(o, c, &report);
        if (o->json)
                json_text_end_array(&j);
        else if (report.shown > 0 && table_print(table, &out) < 0)
                return fail("Out of memory.");
        r = o->json ? output_json(o, &out) : output_show(o, &out);
        return r != EXIT_SUCCESS ? r : status;
}
