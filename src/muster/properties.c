/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table in the order of the D-Bus interface: what `machinectl show` prints from GetAll, we print from it. */
#include "muster/properties.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/auto.h"
#include "muster/address.h"
#include "muster/output.h"

enum kind { TEXT, NUMBER, TIME, INTERFACES, STATE };

static const struct row {
        const char *name;
        enum kind kind;
        size_t offset;
        size_t size; /* of a number */
} rows[] = {
#define FIELD(f) offsetof(struct machine_view, f), sizeof(((struct machine_view *) NULL)->f)
        { "Name", TEXT, FIELD(name) },
        { "Id", TEXT, FIELD(id) },
        { "Timestamp", TIME, FIELD(realtime_usec) },
        { "TimestampMonotonic", NUMBER, FIELD(monotonic_usec) },
        { "Service", TEXT, FIELD(service) },
        { "Unit", TEXT, FIELD(unit) },
        { "Subgroup", TEXT, FIELD(subgroup) },
        { "Leader", NUMBER, FIELD(leader.pid) },
        { "LeaderPIDFDId", NUMBER, FIELD(leader.pidfd_id) },
        { "Supervisor", NUMBER, FIELD(supervisor.pid) },
        { "SupervisorPIDFDId", NUMBER, FIELD(supervisor.pidfd_id) },
        { "Class", TEXT, FIELD(class) },
        { "RootDirectory", TEXT, FIELD(root_directory) },
        { "NetworkInterfaces", INTERFACES, 0, 0 },
        { "VSockCID", NUMBER, FIELD(vsock_cid) },
        { "SSHAddress", TEXT, FIELD(ssh_address) },
        { "SSHPrivateKeyPath", TEXT, FIELD(ssh_private_key_path) },
        { "State", STATE, FIELD(state) },
        { "UID", NUMBER, FIELD(uid) },
#undef FIELD
};

static bool is_chosen(const struct options *o, const char *name) {
        return !o->properties || strv_contains(o->properties, name);
}

static uint64_t number_of(const struct row *row, const struct machine_view *v) {
        const char *field = (const char *) v + row->offset;

        return row->size == sizeof(uint64_t) ? *(const uint64_t *) field : *(const uint32_t *) field;
}

static const char *text_of(const struct row *row, const struct machine_view *v) {
        const char *text = *(char *const *) ((const char *) v + row->offset);

        /* A daemon that lists a machine, and no record to say more: it runs. */
        return row->kind == STATE && !text ? "running" : text;
}

static void append_interfaces(const struct machine_view *v, struct buf *out) {
        for (size_t i = 0; i < v->n_ifindices; i++)
                buf_printf(out, "%s%" PRIi32, i ? " " : "", v->ifindices[i]);
}

/* A line, unless the value is empty and o asks neither for empty ones nor for this one by name. */
static void line(const struct options *o, const char *name, const char *value, struct buf *out) {
        AUTO_FREE char *safe = output_safe(value, false);

        if (!*safe && !o->all && !o->properties)
                return;
        if (o->value)
                buf_printf(out, "%s\n", safe);
        else
                buf_printf(out, "%s=%s\n", name, safe);
}

static void property_text(const struct options *o, const struct row *row, const struct machine_view *v,
                          struct buf *out) {
        AUTO_BUF struct buf interfaces = BUF_EMPTY;
        char text[64];

        switch (row->kind) {
        case TEXT:
        case STATE:
                line(o, row->name, text_of(row, v), out);
                return;
        case NUMBER:
                snprintf(text, sizeof(text), "%" PRIu64, number_of(row, v));
                line(o, row->name, text, out);
                return;
        case TIME:
                output_time(number_of(row, v), text, sizeof(text));
                line(o, row->name, text, out);
                return;
        case INTERFACES:
                append_interfaces(v, &interfaces);
                line(o, row->name, interfaces.data, out);
                return;
        }
}

void properties_text(const struct options *o, const struct machine_view *v, struct buf *out) {
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (is_chosen(o, rows[i].name))
                        property_text(o, rows + i, v, out);
}

void properties_json(const struct options *o, const struct machine_view *v, struct json_text *j) {
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct row *row = rows + i;

                if (!is_chosen(o, row->name))
                        continue;
                switch (row->kind) {
                case TEXT:
                case STATE:
                        json_text_string(j, row->name, strempty(text_of(row, v)));
                        break;
                case NUMBER:
                case TIME:
                        json_text_unsigned(j, row->name, number_of(row, v));
                        break;
                case INTERFACES:
                        json_text_begin_array(j, row->name);
                        for (size_t n = 0; n < v->n_ifindices; n++)
                                json_text_signed(j, NULL, v->ifindices[n]);
                        json_text_end_array(j);
                        break;
                }
        }
}

/* Without images the registry has no pool; "not known" is what the original says for one it does not measure. */
static const struct {
        const char *name;
        const char *text; /* NULL: the largest number */
} manager_rows[] = { { "PoolPath", "/var/lib/machines" }, { "PoolUsage", NULL }, { "PoolLimit", NULL } };

void manager_text(const struct options *o, struct buf *out) {
        for (size_t i = 0; i < ELEMENTS(manager_rows); i++)
                if (is_chosen(o, manager_rows[i].name))
                        line(o, manager_rows[i].name,
                             manager_rows[i].text ? manager_rows[i].text : "18446744073709551615", out);
}

void manager_json(const struct options *o, struct json_text *j) {
        for (size_t i = 0; i < ELEMENTS(manager_rows); i++) {
                if (!is_chosen(o, manager_rows[i].name))
                        continue;
                if (manager_rows[i].text)
                        json_text_string(j, manager_rows[i].name, manager_rows[i].text);
                else
                        json_text_null(j, manager_rows[i].name);
        }
}
