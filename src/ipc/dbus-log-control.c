/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.freedesktop.LogControl1: reading for everybody, setting for root. Setting is taken out before sd-bus sees it, for its
 * own check would ask the bus about the caller and wait for the answer. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

static int get_level(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                     void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;

        return sd_bus_message_append_basic(reply, 's', d->log_control->get_level());
}

static int get_target(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;

        return sd_bus_message_append_basic(reply, 's', d->log_control->get_target());
}

static int get_identifier(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;

        return sd_bus_message_append_basic(reply, 's', d->log_control->identifier);
}

/* Not reached: the filter below answers first. sd-bus wants a setter for what introspection shows as writable. */
static int set_nothing(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *value, void *userdata, sd_bus_error *error) {
        return -EPERM;
}

const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_nothing, 0, 0),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_nothing, 0, 0),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, 0),
        SD_BUS_VTABLE_END,
};

static int set_property(struct dbus *d, const char *name, const char *value, struct fault *f) {
        const struct log_control *log = d->log_control;

        if (streq(name, "LogLevel"))
                return log->set_level(value) >= 0 ? 0
                                                  : fault_set_argument(f, "level",
                                                                       "The log level must be emerg, alert, crit, err, "
                                                                       "warning, notice, info or debug.");
        return log->set_target(value) >= 0 ? 0
                                           : fault_set_argument(f, "target",
                                                                "The log target must be console, journal, syslog, "
                                                                "auto or null.");
}

static int apply(struct dbus_call *call) {
        const char *interface, *name, *value;
        int r;

        r = sd_bus_message_read(call->message, "ss", &interface, &name);
        if (r < 0)
                return r;
        if (!streq(name, "LogLevel") && !streq(name, "LogTarget")) {
                bool known = streq(name, "SyslogIdentifier");

                return sd_bus_reply_method_errorf(
                        call->message, known ? SD_BUS_ERROR_PROPERTY_READ_ONLY : SD_BUS_ERROR_UNKNOWN_PROPERTY,
                        "This property %s.", known ? "cannot be set" : "is not there");
        }
        r = sd_bus_message_read(call->message, "v", "s", &value);
        if (r < 0)
                return sd_bus_reply_method_errorf(call->message, SD_BUS_ERROR_INVALID_ARGS,
                                                  "The value must be a string.");
        if (set_property(call->d, name, value, &call->fault) < 0)
                return dbus_reply_fault(call->message, &call->fault);
        return sd_bus_reply_method_return(call->message, NULL);
}

static void on_authorized(struct request *q) {
        struct dbus_call *call = q->adapter;

        q->adapter = NULL;
        call->fault = q->fault;
        if (q->fault.kind != FAULT_NONE) {
                dbus_call_finish(call);
                return;
        }
        if (apply(call) < 0)
                sd_bus_reply_method_errno(call->message, -EINVAL, NULL);
        dbus_call_free(call);
}

static int authorize(struct dbus_call *call) {
        AUTO(request_unrefp) struct request *q = request_ref(call->request);

        if (dbus_call_caller(call, false, &q->caller) < 0)
                return fault_set_errno(&call->fault, -ENOMEM, "Out of memory.");
        q->adapter = call;
        q->finish = on_authorized;
        service_submit(q);
        return 0;
}

int dbus_log_control_filter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        AUTO(request_unrefp) struct request *q = NULL;
        struct dbus *d = userdata;
        struct dbus_call *call;
        int r;

        if (!sd_bus_message_is_method_call(m, PROPERTIES_INTERFACE, "Set") ||
            !streq_ptr(sd_bus_message_get_path(m), LOG_CONTROL_PATH) ||
            !streq(strempty(sd_bus_message_get_signature(m, true)), "ssv"))
                return 0;
        r = request_new(d->service, VERB_SET_LOG, &q);
        if (r < 0)
                return r;
        call = dbus_call_new(d, m, STEAL(q));
        if (!call)
                return -ENOMEM;
        call->resolved = authorize;
        r = dbus_call_resolve(call);
        if (r < 0)
                dbus_call_free(call);
        return r < 0 ? r : 1;
}
