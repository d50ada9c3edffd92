/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scope manager's door: its bus name, its signals, and how whatever it does not carry out is refused by name. */
#include "ipc/dbus-systemd1.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

/* ---- paths ---- */

char *systemd1_job_path(uint32_t job, char ret[static JOB_PATH_SIZE]) {
        snprintf(ret, JOB_PATH_SIZE, SYSTEMD1_PATH "/job/%u", job);
        return ret;
}

char *systemd1_unit_path(const char *unit) {
        char *path;

        return sd_bus_path_encode(SYSTEMD1_UNIT_PREFIX, unit, &path) < 0 ? NULL : path;
}

/* ---- signals ---- */

static void complain(int r, const char *signal, const char *unit) {
        if (r < 0)
                log_debug_errno(r, "Cannot send %s of %s", signal, unit);
}

static void emit_unit(struct systemd1 *s, const char *signal, const struct unit *u) {
        AUTO_FREE char *path = systemd1_unit_path(u->name);

        if (s->owned && s->n_subscribers > 0 && path)
                complain(sd_bus_emit_signal(s->d->bus, SYSTEMD1_PATH, SYSTEMD1_MANAGER, signal, "so", u->name, path),
                         signal, u->name);
}

static void on_unit_new(void *impl, const struct unit *u) {
        struct systemd1 *s = impl;

        emit_unit(s, "UnitNew", u);
        if (s->owned && u->controller)
                complain(peers_watch_controller(s, u->controller), "RequestStop", u->name);
}

static void on_unit_removed(void *impl, const struct unit *u) {
        emit_unit(impl, "UnitRemoved", u);
}

static void on_job_removed(void *impl, uint32_t job, const char *unit) {
        struct systemd1 *s = impl;
        char path[JOB_PATH_SIZE];

        if (s->owned)
                complain(sd_bus_emit_signal(s->d->bus, SYSTEMD1_PATH, SYSTEMD1_MANAGER, "JobRemoved", "uoss", job,
                                            systemd1_job_path(job, path), unit, "done"),
                         "JobRemoved", unit);
}

static bool on_request_stop(void *impl, const struct unit *u) {
        AUTO(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        AUTO_FREE char *path = systemd1_unit_path(u->name);
        struct systemd1 *s = impl;
        int r;

        if (!s->owned || !path)
                return false;
        r = sd_bus_message_new_signal(s->d->bus, &m, path, SYSTEMD1_SCOPE, "RequestStop");
        if (r >= 0)
                r = sd_bus_send_to(s->d->bus, m, u->controller, NULL);
        complain(r, "RequestStop", u->name);
        return r >= 0;
}

/* ---- what is not carried out ---- */

static bool has_method(const sd_bus_vtable *vtable, const char *member) {
        for (const sd_bus_vtable *v = vtable; v->type != _SD_BUS_VTABLE_END; v++)
                if (v->type == _SD_BUS_VTABLE_METHOD && streq(v->x.method.member, member))
                        return true;
        return false;
}

static bool is_carried_out(const char *interface, const char *member) {
        const sd_bus_vtable *const vtables[] = { systemd1_manager_vtable, systemd1_unit_vtable, systemd1_scope_vtable };
        const char *const interfaces[] = { SYSTEMD1_MANAGER, SYSTEMD1_UNIT, SYSTEMD1_SCOPE };

        for (size_t i = 0; i < ELEMENTS(vtables); i++)
                if ((isempty(interface) || streq(interface, interfaces[i])) && has_method(vtables[i], member))
                        return true;
        return false;
}

/* A method of the real service manager that we do not know must not look like a typing error. */
static int refuse_unknown(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *path = strempty(sd_bus_message_get_path(m)), *rest = startswith(path, SYSTEMD1_PATH);
        const char *interface = sd_bus_message_get_interface(m), *member = strempty(sd_bus_message_get_member(m));

        if (!sd_bus_message_is_method_call(m, NULL, NULL) || !rest || (*rest && *rest != '/') ||
            (interface && !startswith(interface, SYSTEMD1_NAME ".")) || is_carried_out(interface, member))
                return 0;
        return sd_bus_reply_method_errorf(
                m, SD_BUS_ERROR_NOT_SUPPORTED,
                "musterd manages scopes only, it is no service manager: it does not carry out %s.", member);
}

/* ---- answers ---- */

int systemd1_manage(struct systemd1 *s, sd_bus_message *m, int (*act)(struct dbus_call *call)) {
        AUTO(request_unrefp) struct request *q = NULL;
        int r = request_new(s->d->service, VERB_MANAGE_UNITS, &q);

        return r < 0 ? r : dbus_submit(s->d, m, STEAL(q), act);
}

int systemd1_answer(struct dbus_call *call, int r, const struct fault *f) {
        return r < 0 ? dbus_reply_fault(call->message, f) : sd_bus_reply_method_return(call->message, NULL);
}

int systemd1_reply_job(struct dbus_call *call, uint32_t job, const char *unit, bool over) {
        char path[JOB_PATH_SIZE];
        int r;

        r = sd_bus_reply_method_return(call->message, "o", systemd1_job_path(job, path));
        if (r >= 0 && over)
                on_job_removed(call->d->systemd1, job, unit);
        return r;
}

struct process_reply {
        sd_bus_message *reply;
        unsigned n;
};

static int append_process(void *userdata, const char *cgroup, pid_t pid, const char *comm) {
        struct process_reply *p = userdata;

        if (++p->n > 65536)
                return 1;
        return sd_bus_message_append(p->reply, "(sus)", cgroup, (uint32_t) pid, comm) < 0 ? -ENOMEM : 0;
}

int systemd1_reply_processes(struct systemd1 *s, sd_bus_message *m, const char *unit, sd_bus_error *error) {
        AUTO(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        struct process_reply p = { NULL, 0 };
        struct fault f = FAULT_OK;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sus)");
        if (r < 0)
                return r;
        p.reply = reply;
        if (units_processes(s->units, unit, append_process, &p, &f) < 0)
                return dbus_error_from_fault(error, &f);
        r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(s->d->bus, reply, NULL);
}

/* ---- objects ---- */

static int unit_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                     sd_bus_error *error) {
        AUTO_FREE char *name = NULL;
        struct systemd1 *s = userdata;
        int r;

        r = sd_bus_path_decode(path, SYSTEMD1_UNIT_PREFIX, &name);
        if (r <= 0)
                return r;
        if (!units_find(s->units, name, &s->found.view))
                return 0;
        *ret_found = &s->found;
        return 1;
}

static int unit_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        const struct systemd1 *s = userdata;
        char **nodes = NULL;
        int r = 0;

        for (const struct unit *u = units_first(s->units); r >= 0 && u; u = units_next(u)) {
                AUTO_FREE char *path = systemd1_unit_path(u->name);

                r = path ? strv_extend(&nodes, path) : -ENOMEM;
        }
        if (r < 0)
                strv_free(nodes);
        else
                *ret_nodes = nodes;
        return r;
}

int systemd1_export(struct systemd1 *s, sd_bus *bus) {
        int r;

        if (!s)
                return 0;
        r = sd_bus_add_filter(bus, NULL, refuse_unknown, s);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, SYSTEMD1_PATH, SYSTEMD1_MANAGER, systemd1_manager_vtable, s);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, SYSTEMD1_UNIT_PREFIX, SYSTEMD1_UNIT, systemd1_unit_vtable,
                                               unit_find, s);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, SYSTEMD1_UNIT_PREFIX, SYSTEMD1_SCOPE, systemd1_scope_vtable,
                                               unit_find, s);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, SYSTEMD1_UNIT_PREFIX, unit_enumerate, s);
        return r;
}

/* ---- the name ---- */

static int on_name_requested(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct systemd1 *s = userdata;
        uint32_t result = 0;

        if (sd_bus_message_is_method_error(m, NULL))
                log_error("The bus refuses us the name " SYSTEMD1_NAME
                          ": %s. Is the bus policy file for --scope-manager "
                          "installed?",
                          sd_bus_message_get_error(m)->message);
        else if (sd_bus_message_read(m, "u", &result) >= 0 && result == 2)
                log_warning("Another program owns the bus name " SYSTEMD1_NAME ": waiting for it to leave.");
        else
                systemd1_acquired(s);
        return 0;
}

int systemd1_request_name(struct systemd1 *s, sd_bus *bus) {
        return s ? sd_bus_request_name_async(bus, NULL, SYSTEMD1_NAME, SD_BUS_NAME_QUEUE, on_name_requested, s) : 0;
}

/* Controllers of scopes that are older than we are may have left meanwhile, and those of scopes that are to stop were not
 * asked, or not by us. */
void systemd1_acquired(struct systemd1 *s) {
        if (!s || s->owned)
                return;
        s->owned = true;
        log_debug("The bus name " SYSTEMD1_NAME " is ours.");
        for (const struct unit *u = units_first(s->units); u; u = units_next(u)) {
                if (!u->controller)
                        continue;
                complain(peers_watch_controller(s, u->controller), "RequestStop", u->name);
                if (u->state == UNIT_STOPPING)
                        on_request_stop(s, u);
        }
}

void systemd1_disconnected(struct systemd1 *s) {
        if (!s)
                return;
        s->owned = false;
        peers_clear(s);
}

void systemd1_lost(struct systemd1 *s) {
        if (!s)
                return;
        systemd1_disconnected(s);
        units_controller_gone(s->units, NULL);
}

int systemd1_new(struct dbus *d, struct units *units, struct systemd1 **ret) {
        struct systemd1 *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->d = d;
        s->units = units;
        s->found.s = s;
        units_set_listener(units,
                           &(struct unit_listener){ s, on_unit_new, on_unit_removed, on_job_removed, on_request_stop });
        *ret = s;
        return 0;
}

void systemd1_free(struct systemd1 *s) {
        if (!s)
                return;
        peers_clear(s);
        units_set_listener(s->units, &(struct unit_listener){ .impl = NULL });
        free(s);
}
