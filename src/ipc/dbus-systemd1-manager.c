/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.freedesktop.systemd1.Manager: what is there of it. Looking is for everybody, all else for root. */
#include <errno.h>

#include "base/str.h"
#include "ipc/dbus-systemd1.h"

#define HANDLER(name) static int name(sd_bus_message *m, void *userdata, sd_bus_error *error)
#define NO_SUCH_PROCESS SYSTEMD1_NAME ".NoSuchProcess"

/* ---- looking ---- */

static int reply_unit(sd_bus_message *m, const struct unit_view *v) {
        AUTO_FREE char *path = systemd1_unit_path(v->name);

        return path ? sd_bus_reply_method_return(m, "o", path) : -ENOMEM;
}

HANDLER(method_get_unit) {
        struct systemd1 *s = userdata;
        struct unit_view v;
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if (!units_find(s->units, name, &v)) {
                AUTO_FREE char *shown = str_escape(name, 64);

                return sd_bus_error_setf(error, SYSTEMD1_NAME ".NoSuchUnit",
                                         "Unit %s not loaded: no such scope is known here.", strempty(shown));
        }
        return reply_unit(m, &v);
}

static int find_pid(struct dbus_call *call, pid_t pid, struct unit_view *ret) {
        return units_find_by_pid(call->d->systemd1->units, pid, ret, &call->fault);
}

/* 0 is whoever asks. */
static int caller_known(struct dbus_call *call) {
        struct unit_view v;

        if (find_pid(call, dbus_call_pid(call), &v) < 0)
                return -1;
        reply_unit(call->message, &v);
        dbus_call_free(call);
        return 0;
}

HANDLER(method_get_unit_by_pid) {
        struct systemd1 *s = userdata;
        struct fault f = FAULT_OK;
        struct dbus_call *call;
        struct unit_view v;
        uint32_t pid;
        int r;

        r = sd_bus_message_read(m, "u", &pid);
        if (r < 0)
                return r;
        if (pid > 0) {
                if (units_find_by_pid(s->units, (pid_t) pid, &v, &f) < 0)
                        return dbus_error_from_fault(error, &f);
                return reply_unit(m, &v);
        }
        call = dbus_call_new(s->d, m, NULL);
        if (!call)
                return -ENOMEM;
        call->resolved = caller_known;
        r = dbus_call_resolve(call);
        if (r < 0)
                dbus_call_free(call);
        return r < 0 ? r : 1;
}

HANDLER(method_get_unit_by_pidfd) {
        struct systemd1 *s = userdata;
        const struct process_port *process = dbus_process_port(s->d);
        AUTO_FREE char *path = NULL;
        struct fault f = FAULT_OK;
        struct pidref p;
        struct unit_view v;
        int r, fd;

        r = sd_bus_message_read(m, "h", &fd);
        if (r < 0)
                return r;
        r = process->open(process->impl, 0, fd, &p);
        if (r < 0)
                return sd_bus_error_set(error, r == -ESRCH ? NO_SUCH_PROCESS : SD_BUS_ERROR_INVALID_ARGS,
                                        "The descriptor is not that of a living process.");
        r = units_find_by_pid(s->units, p.pid, &v, &f);
        process->close(process->impl, &p);
        if (r < 0)
                return dbus_error_from_fault(error, &f);
        path = systemd1_unit_path(v.name);
        return path ? sd_bus_reply_method_return(m, "osay", path, v.name, 0) : -ENOMEM;
}

HANDLER(method_get_unit_processes) {
        const char *name;
        int r = sd_bus_message_read(m, "s", &name);

        return r < 0 ? r : systemd1_reply_processes(userdata, m, name, error);
}

HANDLER(method_subscribe) {
        int r = peers_subscribe(userdata, sd_bus_message_get_sender(m));

        if (r == -EALREADY)
                return sd_bus_error_set(error, SYSTEMD1_NAME ".AlreadySubscribed", "Client is already subscribed.");
        if (r == -ENOBUFS)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "There are too many clients.");
        return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

HANDLER(method_unsubscribe) {
        if (peers_unsubscribe(userdata, sd_bus_message_get_sender(m)) < 0)
                return sd_bus_error_set(error, SYSTEMD1_NAME ".NotSubscribed", "Client is not subscribed.");
        return sd_bus_reply_method_return(m, NULL);
}

/* ---- acts, once the caller may: their arguments are read here, where they are needed ---- */

static const char *unit_argument(struct dbus_call *call) {
        const char *name = "";

        sd_bus_message_read(call->message, "s", &name); /* the vtable has checked the types */
        return name;
}

static bool job_mode_is_known(const char *mode) {
        static const char *const modes[] = { "fail", "replace", "replace-irreversibly", "ignore-dependencies",
                                             "ignore-requirements" };

        for (size_t i = 0; i < ELEMENTS(modes); i++)
                if (streq(modes[i], mode))
                        return true;
        return false;
}

int systemd1_act_stop(struct dbus_call *call, const char *unit) {
        struct fault f = FAULT_OK;
        uint32_t job = 0;
        const char *mode;
        int r;

        r = sd_bus_message_read(call->message, "s", &mode);
        if (r < 0)
                return r;
        if (!job_mode_is_known(mode))
                return sd_bus_reply_method_errorf(call->message, SD_BUS_ERROR_INVALID_ARGS,
                                                  "The job mode must be 'fail' or 'replace'.");
        if (units_stop(call->d->systemd1->units, unit, &call->request->caller, &job, &f) < 0)
                return dbus_reply_fault(call->message, &f);
        return systemd1_reply_job(call, job, unit, false);
}

int systemd1_act_kill(struct dbus_call *call, const char *unit) {
        struct fault f = FAULT_OK;
        const char *whom;
        int32_t sig;
        int r;

        r = sd_bus_message_read(call->message, "si", &whom, &sig);
        if (r < 0)
                return r;
        if (!isempty(whom) && !streq(whom, "all") && !streq(whom, "all-fail"))
                return sd_bus_reply_method_errorf(call->message, NO_SUCH_PROCESS,
                                                  "A scope has no main or control process: say 'all'.");
        r = units_kill(call->d->systemd1->units, unit, sig, streq(whom, "all-fail"), &call->request->caller, &f);
        return systemd1_answer(call, r, &f);
}

static int only_limits(void *userdata, sd_bus_message *m, const char *name, const char *contents, sd_bus_error *error) {
        const struct scope_property *p = scope_property_find(name);

        if (p && (p->kind == SCOPE_RESOURCE || p->kind == SCOPE_IO_LIMIT || p->kind == SCOPE_CPUS))
                return 0;
        return sd_bus_error_setf(error, SD_BUS_ERROR_NOT_SUPPORTED,
                                 "Only resource limits of a scope can be changed while it runs, not %s.",
                                 p ? p->name : "that");
}

int systemd1_act_set_properties(struct dbus_call *call, const char *unit) {
        const struct scope_hook hook = { only_limits, NULL };
        struct scope_properties props = { .resources_set = 0 };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        struct fault f = FAULT_OK;
        int r, runtime;

        r = sd_bus_message_read(call->message, "b", &runtime); /* nothing here outlives the scope anyway */
        if (r >= 0)
                r = dbus_read_scope_with(call->message, &hook, &props, &error);
        if (r < 0)
                r = sd_bus_reply_method_errno(call->message, r, &error);
        else
                r = systemd1_answer(
                        call, units_limit(call->d->systemd1->units, unit, &props, &call->request->caller, &f), &f);
        sd_bus_error_free(&error);
        scope_properties_done(&props);
        return r;
}

static int act_stop(struct dbus_call *call) {
        return systemd1_act_stop(call, unit_argument(call));
}

static int act_kill(struct dbus_call *call) {
        return systemd1_act_kill(call, unit_argument(call));
}

static int act_set_properties(struct dbus_call *call) {
        return systemd1_act_set_properties(call, unit_argument(call));
}

static int act_abandon(struct dbus_call *call) {
        struct fault f = FAULT_OK;
        int r = units_abandon(call->d->systemd1->units, unit_argument(call), &f);

        return systemd1_answer(call, r, &f);
}

static int act_unref(struct dbus_call *call) {
        struct fault f = FAULT_OK;
        int r = units_unref(call->d->systemd1->units, unit_argument(call), &f);

        return systemd1_answer(call, r, &f);
}

#define ACT_HANDLER(method, act)                          \
        HANDLER(method) {                                 \
                return systemd1_manage(userdata, m, act); \
        }

ACT_HANDLER(method_start, systemd1_act_start)
ACT_HANDLER(method_stop, act_stop)
ACT_HANDLER(method_kill, act_kill)
ACT_HANDLER(method_set_properties, act_set_properties)
ACT_HANDLER(method_abandon, act_abandon)
ACT_HANDLER(method_unref, act_unref)

/* ---- properties ---- */

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", "Muster " MUSTER_VERSION " (scopes only)");
}

static int get_cgroup(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error) {
        const struct systemd1 *s = userdata;

        return sd_bus_message_append(reply, "s", units_root(s->units));
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", "running");
}

#define OPEN SD_BUS_VTABLE_UNPRIVILEGED
#define CONST SD_BUS_VTABLE_PROPERTY_CONST
const sd_bus_vtable systemd1_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, CONST),
        SD_BUS_PROPERTY("ControlGroup", "s", get_cgroup, 0, 0),
        SD_BUS_PROPERTY("SystemState", "s", get_state, 0, 0),
        SD_BUS_METHOD_WITH_ARGS("GetUnit", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", unit), method_get_unit, OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetUnitByPID", SD_BUS_ARGS("u", pid), SD_BUS_RESULT("o", unit), method_get_unit_by_pid,
                                OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetUnitByPIDFD", SD_BUS_ARGS("h", pidfd),
                                SD_BUS_RESULT("o", unit, "s", unit_id, "ay", invocation_id), method_get_unit_by_pidfd,
                                OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetUnitProcesses", SD_BUS_ARGS("s", name), SD_BUS_RESULT("a(sus)", processes),
                                method_get_unit_processes, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Subscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_subscribe, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Unsubscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_unsubscribe, OPEN),
        SD_BUS_METHOD_WITH_ARGS("StartTransientUnit",
                                SD_BUS_ARGS("s", name, "s", mode, "a(sv)", properties, "a(sa(sv))", aux),
                                SD_BUS_RESULT("o", job), method_start, OPEN),
        SD_BUS_METHOD_WITH_ARGS("StopUnit", SD_BUS_ARGS("s", name, "s", mode), SD_BUS_RESULT("o", job), method_stop,
                                OPEN),
        SD_BUS_METHOD_WITH_ARGS("KillUnit", SD_BUS_ARGS("s", name, "s", whom, "i", signal), SD_BUS_NO_RESULT,
                                method_kill, OPEN),
        SD_BUS_METHOD_WITH_ARGS("SetUnitProperties", SD_BUS_ARGS("s", name, "b", runtime, "a(sv)", properties),
                                SD_BUS_NO_RESULT, method_set_properties, OPEN),
        SD_BUS_METHOD_WITH_ARGS("AbandonScope", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method_abandon, OPEN),
        SD_BUS_METHOD_WITH_ARGS("UnrefUnit", SD_BUS_ARGS("s", name), SD_BUS_NO_RESULT, method_unref, OPEN),
        SD_BUS_SIGNAL_WITH_ARGS("UnitNew", SD_BUS_ARGS("s", id, "o", unit), 0),
        SD_BUS_SIGNAL_WITH_ARGS("UnitRemoved", SD_BUS_ARGS("s", id, "o", unit), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("u", id, "o", job, "s", unit, "s", result), 0),
        SD_BUS_VTABLE_END,
};
