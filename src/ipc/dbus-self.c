/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* .../machine/self: the machine that the caller lives in. sd-bus asks for an object before it can be known who calls, so
 * calls to this path are taken out beforehand, and given to the ordinary handlers of the machine once it is known. */
#include <errno.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

static int unknown(struct dbus_call *call, const char *name, const char *what) {
        sd_bus_reply_method_errorf(call->message, name, "%s %s.%s is not there.", what,
                                   strempty(sd_bus_message_get_interface(call->message)),
                                   strempty(sd_bus_message_get_member(call->message)));
        dbus_call_free(call);
        return 0;
}

static const char *interface_of(sd_bus_message *m) {
        return strempty(sd_bus_message_get_interface(m));
}

/* ---- Properties ---- */

static int append_property(struct dbus_call *call, sd_bus_message *reply, const sd_bus_vtable *v) {
        int r;

        r = sd_bus_message_open_container(reply, 'v', v->x.property.signature);
        if (r >= 0)
                r = v->x.property.get(call->d->bus, SELF_PATH, MACHINE_INTERFACE, v->x.property.member, reply,
                                      &call->d->found, NULL);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_all(struct dbus_call *call, sd_bus_message *reply) {
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        for (const sd_bus_vtable *v = machine_vtable; r >= 0 && v->type != _SD_BUS_VTABLE_END; v++) {
                if (v->type != _SD_BUS_VTABLE_PROPERTY || (v->flags & SD_BUS_VTABLE_HIDDEN))
                        continue;
                r = sd_bus_message_open_container(reply, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append_basic(reply, 's', v->x.property.member);
                if (r >= 0)
                        r = append_property(call, reply, v);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static const sd_bus_vtable *find_property(const char *name) {
        for (const sd_bus_vtable *v = machine_vtable; v->type != _SD_BUS_VTABLE_END; v++)
                if (v->type == _SD_BUS_VTABLE_PROPERTY && streq(v->x.property.member, name))
                        return v;
        return NULL;
}

static int answer_property(struct dbus_call *call) {
        AUTO(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        bool all = streq(sd_bus_message_get_member(call->message), "GetAll");
        const sd_bus_vtable *v = NULL;
        const char *interface, *name;
        int r;

        r = sd_bus_message_read(call->message, all ? "s" : "ss", &interface, &name);
        if (r < 0)
                return r;
        if (!isempty(interface) && !streq(interface, MACHINE_INTERFACE))
                return unknown(call, SD_BUS_ERROR_UNKNOWN_INTERFACE, "The interface");
        if (!all && !(v = find_property(name)))
                return unknown(call, SD_BUS_ERROR_UNKNOWN_PROPERTY, "The property");
        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = all ? append_all(call, reply) : append_property(call, reply, v);
        if (r >= 0)
                r = sd_bus_send(call->d->bus, reply, NULL);
        if (r >= 0)
                dbus_call_free(call);
        return r;
}

/* ---- the machine's methods ---- */

static const sd_bus_vtable *find_method(const sd_bus_vtable *vtable, const char *name) {
        for (const sd_bus_vtable *v = vtable; v->type != _SD_BUS_VTABLE_END; v++)
                if (v->type == _SD_BUS_VTABLE_METHOD && streq(v->x.method.member, name))
                        return v;
        return NULL;
}

int dbus_call_method(struct dbus_call *call, const sd_bus_vtable *vtable, void *userdata) {
        const sd_bus_vtable *v = find_method(vtable, strempty(sd_bus_message_get_member(call->message)));
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (!v)
                return unknown(call, SD_BUS_ERROR_UNKNOWN_METHOD, "The method");
        if (!streq(sd_bus_message_get_signature(call->message, true), strempty(v->x.method.signature))) {
                sd_bus_reply_method_errorf(call->message, SD_BUS_ERROR_INVALID_ARGS, "%s takes arguments of type '%s'.",
                                           v->x.method.member, strempty(v->x.method.signature));
                dbus_call_free(call);
                return 0;
        }
        r = v->x.method.handler(call->message, userdata, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                sd_bus_reply_method_errno(call->message, r, &error);
        sd_bus_error_free(&error);
        dbus_call_free(call);
        return 0;
}

static int caller_known(struct dbus_call *call) {
        const char *interface = interface_of(call->message);
        pid_t pid = dbus_call_pid(call);
        int r;

        call->d->found.machine = service_find_by_pid(call->d->service, pid);
        if (!call->d->found.machine) {
                sd_bus_reply_method_errorf(call->message, SD_BUS_ERROR_UNKNOWN_OBJECT,
                                           "Process %d belongs to no known machine.", (int) pid);
                dbus_call_free(call);
                return 0;
        }
        if (!streq(interface, PROPERTIES_INTERFACE))
                return dbus_call_method(call, machine_vtable, &call->d->found);
        r = answer_property(call);
        if (r < 0)
                return fault_set_errno(&call->fault, r, "The call cannot be answered.");
        return 0;
}

int dbus_self_filter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;
        struct dbus_call *call;
        int r;

        if (!sd_bus_message_is_method_call(m, NULL, NULL) || !streq_ptr(sd_bus_message_get_path(m), SELF_PATH))
                return 0;
        /* Introspection and Peer need no machine; setting anything is refused by the ordinary way. */
        if (!streq(interface_of(m), "") && !streq(interface_of(m), MACHINE_INTERFACE) &&
            !sd_bus_message_is_method_call(m, PROPERTIES_INTERFACE, "Get") &&
            !sd_bus_message_is_method_call(m, PROPERTIES_INTERFACE, "GetAll"))
                return 0;
        call = dbus_call_new(d, m, NULL);
        if (!call)
                return -ENOMEM;
        call->resolved = caller_known;
        r = dbus_call_resolve(call);
        if (r < 0)
                dbus_call_free(call);
        return r < 0 ? r : 1;
}
