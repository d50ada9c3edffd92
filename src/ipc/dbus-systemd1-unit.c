/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A scope as an object: org.freedesktop.systemd1.Unit and .Scope. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-systemd1.h"

#define GETTER(name)                                                                                \
        static int name(sd_bus *bus, const char *path, const char *interface, const char *property, \
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
#define VIEW_OF(userdata) (&((const struct unit_found *) (userdata))->view)

#define STRING_GETTER(name, value)                                               \
        GETTER(name) {                                                           \
                const struct unit_view *v = VIEW_OF(userdata);                   \
                                                                                 \
                (void) v;                                                        \
                return sd_bus_message_append_basic(reply, 's', strempty(value)); \
        }
#define NUMBER_GETTER(name, signature, ctype, value)                           \
        GETTER(name) {                                                         \
                const struct unit_view *v = VIEW_OF(userdata);                 \
                ctype number = (value);                                        \
                                                                               \
                (void) v;                                                      \
                return sd_bus_message_append_basic(reply, signature, &number); \
        }

STRING_GETTER(get_id, v->name)
STRING_GETTER(get_description, v->description)
STRING_GETTER(get_load_state, "loaded")
STRING_GETTER(get_active_state, unit_active_state(v->state))
STRING_GETTER(get_sub_state, unit_state_to_string(v->state))
STRING_GETTER(get_file_state, "transient")
STRING_GETTER(get_collect_mode, "inactive-or-failed")
STRING_GETTER(get_cgroup, v->cgroup)
STRING_GETTER(get_controller, v->controller)
STRING_GETTER(get_result, "success")
STRING_GETTER(get_kill_mode, "control-group")
NUMBER_GETTER(get_true, 'b', int, 1)
NUMBER_GETTER(get_false, 'b', int, 0)
NUMBER_GETTER(get_timestamp, 't', uint64_t, v->realtime_usec)
NUMBER_GETTER(get_timestamp_monotonic, 't', uint64_t, v->monotonic_usec)
NUMBER_GETTER(get_timeout, 't', uint64_t, v->stop_timeout_usec)
NUMBER_GETTER(get_kill_signal, 'i', int32_t, v->kill_signal)

GETTER(get_names) {
        return sd_bus_message_append(reply, "as", 1, VIEW_OF(userdata)->name);
}

GETTER(get_job) {
        uint32_t job = VIEW_OF(userdata)->job;
        char text[JOB_PATH_SIZE];

        return sd_bus_message_append(reply, "(uo)", job, job ? systemd1_job_path(job, text) : "/");
}

/* The last directory above the scope; none: the root slice. */
GETTER(get_slice) {
        const struct unit_view *v = VIEW_OF(userdata);
        const char *end = strrchr(v->cgroup, '/'), *begin = end;
        AUTO_FREE char *name = NULL;

        if (v->slice)
                return sd_bus_message_append(reply, "s", v->slice);
        while (begin && begin > v->cgroup && begin[-1] != '/')
                begin--;
        name = begin ? strndup(begin, (size_t) (end - begin)) : NULL;
        return sd_bus_message_append(reply, "s", name && endswith(name, ".slice") ? name : "-.slice");
}

/* ---- methods: the object's name is kept over the question who calls, for the object may go meanwhile ---- */

static int named(struct dbus_call *call, int (*act)(struct dbus_call *call, const char *unit)) {
        AUTO_FREE char *name = NULL;
        int r = sd_bus_path_decode(sd_bus_message_get_path(call->message), SYSTEMD1_UNIT_PREFIX, &name);

        return r < 0 ? r : act(call, strempty(name));
}

static int abandon(struct dbus_call *call, const char *unit) {
        struct fault f = FAULT_OK;

        return systemd1_answer(call, units_abandon(call->d->systemd1->units, unit, &f), &f);
}

static int unref(struct dbus_call *call, const char *unit) {
        struct fault f = FAULT_OK;

        return systemd1_answer(call, units_unref(call->d->systemd1->units, unit, &f), &f);
}

#define ACT_HANDLER(name, act)                                                              \
        static int act_##name(struct dbus_call *call) {                                     \
                return named(call, act);                                                    \
        }                                                                                   \
        static int method_##name(sd_bus_message *m, void *userdata, sd_bus_error *error) {  \
                return systemd1_manage(((struct unit_found *) userdata)->s, m, act_##name); \
        }

ACT_HANDLER(stop, systemd1_act_stop)
ACT_HANDLER(kill, systemd1_act_kill)
ACT_HANDLER(set_properties, systemd1_act_set_properties)
ACT_HANDLER(abandon, abandon)
ACT_HANDLER(unref, unref)

static int method_get_processes(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const struct unit_found *found = userdata;

        return systemd1_reply_processes(found->s, m, found->view.name, error);
}

#define OPEN SD_BUS_VTABLE_UNPRIVILEGED
#define CONST SD_BUS_VTABLE_PROPERTY_CONST

const sd_bus_vtable systemd1_unit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", get_id, 0, CONST),
        SD_BUS_PROPERTY("Names", "as", get_names, 0, CONST),
        SD_BUS_PROPERTY("Description", "s", get_description, 0, CONST),
        SD_BUS_PROPERTY("LoadState", "s", get_load_state, 0, CONST),
        SD_BUS_PROPERTY("ActiveState", "s", get_active_state, 0, 0),
        SD_BUS_PROPERTY("SubState", "s", get_sub_state, 0, 0),
        SD_BUS_PROPERTY("UnitFileState", "s", get_file_state, 0, CONST),
        SD_BUS_PROPERTY("ActiveEnterTimestamp", "t", get_timestamp, 0, CONST),
        SD_BUS_PROPERTY("ActiveEnterTimestampMonotonic", "t", get_timestamp_monotonic, 0, CONST),
        SD_BUS_PROPERTY("CanStart", "b", get_false, 0, CONST),
        SD_BUS_PROPERTY("CanStop", "b", get_true, 0, CONST),
        SD_BUS_PROPERTY("Transient", "b", get_true, 0, CONST),
        SD_BUS_PROPERTY("CollectMode", "s", get_collect_mode, 0, CONST),
        SD_BUS_PROPERTY("Job", "(uo)", get_job, 0, 0),
        SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("s", mode), SD_BUS_RESULT("o", job), method_stop, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Kill", SD_BUS_ARGS("s", whom, "i", signal), SD_BUS_NO_RESULT, method_kill, OPEN),
        SD_BUS_METHOD_WITH_ARGS("SetProperties", SD_BUS_ARGS("b", runtime, "a(sv)", properties), SD_BUS_NO_RESULT,
                                method_set_properties, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Unref", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_unref, OPEN),
        SD_BUS_VTABLE_END,
};

const sd_bus_vtable systemd1_scope_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Slice", "s", get_slice, 0, 0),
        SD_BUS_PROPERTY("ControlGroup", "s", get_cgroup, 0, 0),
        SD_BUS_PROPERTY("Controller", "s", get_controller, 0, 0),
        SD_BUS_PROPERTY("Delegate", "b", get_true, 0, CONST),
        SD_BUS_PROPERTY("Result", "s", get_result, 0, 0),
        SD_BUS_PROPERTY("TimeoutStopUSec", "t", get_timeout, 0, CONST),
        SD_BUS_PROPERTY("KillMode", "s", get_kill_mode, 0, CONST),
        SD_BUS_PROPERTY("KillSignal", "i", get_kill_signal, 0, CONST),
        SD_BUS_PROPERTY("SendSIGKILL", "b", get_true, 0, CONST),
        SD_BUS_METHOD_WITH_ARGS("Abandon", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_abandon, OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetProcesses", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sus)", processes),
                                method_get_processes, OPEN),
        SD_BUS_SIGNAL("RequestStop", NULL, 0),
        SD_BUS_VTABLE_END,
};
