/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scope properties of CreateMachine, a(sv): applied, accepted without effect, or refused by name (core/scope.h). Where a
 * service manager makes the scopes they are its business, known here or not: then only what we need ourselves is read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/name.h"
#include "ipc/dbus-internal.h"

#define IO_LIMITS_MAX 256
#define PROPERTIES_MAX 512
#define DESCRIPTION_MAX 1024

static int refuse(sd_bus_error *error, const char *name, const char *what) {
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Scope property %s %s.", name, what);
}

static bool is_weight(enum resource r) {
        return r == RESOURCE_CPU_WEIGHT || r == RESOURCE_IO_WEIGHT;
}

static int read_resource(sd_bus_message *m, const struct scope_property *p, struct scope_properties *ret,
                         sd_bus_error *error) {
        enum resource resource = (enum resource) p->value;
        uint64_t value;
        int r;

        r = sd_bus_message_read_basic(m, 't', &value);
        if (r < 0)
                return r;
        if (is_weight(resource) && value == UINT64_MAX) {
                ret->resources_set &= ~(UINT32_C(1) << resource); /* "unset" on the bus */
                return 0;
        }
        if (is_weight(resource) && (value < 1 || value > 10000))
                return refuse(error, p->name, "must be from 1 to 10000");
        if (resource == RESOURCE_CPU_PERIOD && (value < 1000 || value > 1000000))
                return refuse(error, p->name, "must be from 1000 to 1000000 microseconds");
        if (value == 0 &&
            (resource == RESOURCE_MEMORY_MAX || resource == RESOURCE_TASKS_MAX || resource == RESOURCE_CPU_QUOTA))
                return refuse(error, p->name, "must be above 0: a machine could not run");
        scope_set(ret, resource, value);
        return 0;
}

static int add_io_limit(struct scope_properties *p, enum io_limit_kind kind, const char *path, uint64_t value) {
        struct io_limit *bigger = reallocarray(p->io, p->n_io + 1, sizeof(*bigger));

        if (!bigger)
                return -ENOMEM;
        p->io = bigger;
        bigger[p->n_io] = (struct io_limit){ .kind = kind, .path = strdup(path), .value = value };
        if (!bigger[p->n_io].path)
                return -ENOMEM;
        p->n_io++;
        return 0;
}

static int read_io_limits(sd_bus_message *m, const struct scope_property *p, struct scope_properties *ret,
                          sd_bus_error *error) {
        const char *path;
        uint64_t value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(st)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(st)", &path, &value)) > 0) {
                if (!path_is_absolute_and_valid(path))
                        return refuse(error, p->name, "needs the absolute path of a block device");
                if (ret->n_io >= IO_LIMITS_MAX)
                        return refuse(error, p->name, "has too many entries");
                r = add_io_limit(ret, (enum io_limit_kind) p->value, path, value);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_text(sd_bus_message *m, const struct scope_property *p, struct scope_properties *ret,
                     sd_bus_error *error) {
        const char *text;
        int r;

        r = sd_bus_message_read_basic(m, 's', &text);
        if (r < 0)
                return r;
        if (p->kind == SCOPE_SLICE) {
                if (!isempty(text) && !slice_name_is_valid(text))
                        return refuse(error, p->name, "must be the name of a slice, such as machine.slice");
                return str_replace(&ret->slice, text);
        }
        if (!text_is_valid(text, DESCRIPTION_MAX))
                return refuse(error, p->name, "must be text without control characters");
        return str_replace(&ret->description, text);
}

static int read_cpus(sd_bus_message *m, const struct scope_property *p, struct scope_properties *ret,
                     sd_bus_error *error) {
        const void *bits;
        uint8_t *copy;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'y', &bits, &size);
        if (r < 0)
                return r;
        if (size > 1024)
                return refuse(error, p->name, "names more processors than there can be");
        copy = malloc(size ? size : 1);
        if (!copy)
                return -ENOMEM;
        if (size > 0)
                memcpy(copy, bits, size);
        free(ret->cpus);
        ret->cpus = copy;
        ret->n_cpus = size;
        return 0;
}

static int read_kill_signal(sd_bus_message *m, const struct scope_property *p, struct scope_properties *ret,
                            sd_bus_error *error) {
        int32_t sig;
        int r;

        r = sd_bus_message_read_basic(m, 'i', &sig);
        if (r < 0)
                return r;
        if (sig < 1 || sig > 64)
                return refuse(error, p->name, "must be a signal from 1 to 64");
        ret->kill_signal = sig;
        return 0;
}

static int read_value(sd_bus_message *m, const struct scope_property *p, const char *contents,
                      struct scope_properties *ret, sd_bus_error *error) {
        switch (p->kind) {
        case SCOPE_RESOURCE:
                return read_resource(m, p, ret, error);
        case SCOPE_IO_LIMIT:
                return read_io_limits(m, p, ret, error);
        case SCOPE_SLICE:
        case SCOPE_DESCRIPTION:
                return read_text(m, p, ret, error);
        case SCOPE_CPUS:
                return read_cpus(m, p, ret, error);
        case SCOPE_KILL_SIGNAL:
                return read_kill_signal(m, p, ret, error);
        case SCOPE_NOT_ENFORCED:
                ret->not_enforced = true;
                return sd_bus_message_skip(m, contents);
        default:
                return sd_bus_message_skip(m, contents);
        }
}

static int read_property(sd_bus_message *m, const struct scope_hook *hook, struct scope_properties *ret,
                         sd_bus_error *error) {
        const struct scope_property *p;
        const char *name, *contents;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r >= 0 && hook) {
                r = sd_bus_message_peek_type(m, NULL, &contents);
                if (r >= 0)
                        r = hook->property(hook->userdata, m, name, strempty(contents), error);
                if (r > 0)
                        return 0;
        }
        if (r < 0)
                return r;
        p = scope_property_find(name);
        if (!p) {
                AUTO_FREE char *shown = str_escape(name, 64);

                return refuse(error, strempty(shown), "is not one that Muster knows");
        }
        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (p->signature && !streq(contents, p->signature))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Scope property %s must be of type '%s'.",
                                         p->name, p->signature);
        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
                r = read_value(m, p, contents, ret, error);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* ---- handed on ---- */

static int read_if_text(sd_bus_message *m, const struct scope_property *p, const char *contents,
                        struct scope_properties *ret, sd_bus_error *error) {
        int r;

        if (!streq(contents, "s"))
                return sd_bus_message_skip(m, "v"); /* the service manager will say what is wrong with it */
        r = sd_bus_message_enter_container(m, 'v', "s");
        if (r >= 0)
                r = read_text(m, p, ret, error);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int pass_property(sd_bus_message *m, struct scope_properties *ret, sd_bus_error *error) {
        const struct scope_property *p;
        const char *name, *contents;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        /* We are root, and vouch for the leader only: that it may be taken was checked. */
        if (streq(name, "PIDs") || streq(name, "PIDFDs"))
                return refuse(error, name, "cannot be given: the scope of a machine begins with its leader");
        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        p = scope_property_find(name);
        if (p && (p->kind == SCOPE_SLICE || p->kind == SCOPE_DESCRIPTION))
                return read_if_text(m, p, contents, ret, error);
        if (!ret->for_root[0] && (!p || p->kind == SCOPE_OTHER_UNITS)) {
                AUTO_FREE char *shown = str_escape(name, sizeof(ret->for_root) - 1);

                snprintf(ret->for_root, sizeof(ret->for_root), "%s", shown && *shown ? shown : "?");
        }
        return sd_bus_message_skip(m, "v");
}

static void unref_message(void *raw) {
        sd_bus_message_unref(raw);
}

static int read_list(sd_bus_message *m, bool passes, const struct scope_hook *hook, struct scope_properties *ret,
                     sd_bus_error *error) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sv)");
        if (r < 0)
                return r;
        for (unsigned n = 0;; n++) {
                r = sd_bus_message_enter_container(m, 'r', "sv");
                if (r <= 0)
                        break;
                if (n >= PROPERTIES_MAX)
                        return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                                "There are too many scope properties.");
                r = passes ? pass_property(m, ret, error) : read_property(m, hook, ret, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int dbus_read_scope(sd_bus_message *m, bool passes, struct scope_properties *ret, sd_bus_error *error) {
        if (passes) {
                ret->raw = sd_bus_message_ref(m); /* the list is its last argument */
                ret->raw_free = unref_message;
        }
        return read_list(m, passes, NULL, ret, error);
}

int dbus_read_scope_with(sd_bus_message *m, const struct scope_hook *hook, struct scope_properties *ret,
                         sd_bus_error *error) {
        return read_list(m, false, hook, ret, error);
}
