/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers in the order of a client's calls. Its first privileged call waits until the bus has told who it is; what it has sent
 * behind that without waiting, such as GetMachine behind RegisterMachine, would be served at once and not see its effect. So such
 * calls are taken out here, and wait for an answer of the bus of their own, which comes behind the first one's. Properties are not
 * held back: they tell what is now. */
#include <errno.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

static bool is_ours(sd_bus_message *m) {
        const char *interface = strempty(sd_bus_message_get_interface(m)), *path = strempty(sd_bus_message_get_path(m));

        if (streq(path, MANAGER_PATH))
                return streq(interface, "") || streq(interface, MANAGER_INTERFACE);
        return startswith(path, MACHINE_PREFIX "/") && !streq(path, SELF_PATH) && streq(interface, MACHINE_INTERFACE);
}

static int serve(struct dbus_call *call) {
        const char *path = sd_bus_message_get_path(call->message);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        void *found = NULL;
        int r;

        if (streq(path, MANAGER_PATH))
                return dbus_call_method(call, manager_vtable, call->d);
        r = dbus_machine_find(call->d->bus, path, MACHINE_INTERFACE, call->d, &found, &error);
        if (r > 0)
                return dbus_call_method(call, machine_vtable, found);
        if (r < 0)
                sd_bus_reply_method_errno(call->message, r, &error);
        else
                sd_bus_reply_method_errorf(call->message, SD_BUS_ERROR_UNKNOWN_OBJECT, "There is no object %s.", path);
        sd_bus_error_free(&error);
        dbus_call_free(call);
        return 0;
}

static int its_turn(struct dbus_call *call) {
        struct dbus *d = call->d;

        d->in_turn = true;
        serve(call);
        d->in_turn = false;
        return 0;
}

int dbus_order_filter(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct dbus *d = userdata;
        struct dbus_call *call;
        int r;

        if (d->n_resolving == 0 || !sd_bus_message_is_method_call(m, NULL, NULL) || !is_ours(m) ||
            !dbus_is_resolving(d, sd_bus_message_get_sender(m)))
                return 0;
        call = dbus_call_new(d, m, NULL);
        if (!call)
                return -ENOMEM;
        call->resolved = its_turn;
        r = dbus_call_resolve(call);
        if (r < 0)
                dbus_call_free(call);
        return r < 0 ? r : 1;
}
