/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ListMachines: one array of all. */
#include "base/str.h"
#include "ipc/dbus-internal.h"

static int append_machine(sd_bus_message *reply, const struct machine *m) {
        char path[MACHINE_PATH_SIZE];
        int r;

        r = sd_bus_message_open_container(reply, 'r', "ssso");
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', m->name);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', machine_class_to_string(m->class));
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', strempty(m->service));
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 'o', dbus_machine_path(m->name, path));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int dbus_list_machines(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        AUTO(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        struct dbus *d = userdata;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssso)");
        for (struct machine *machine = service_first(d->service, true); r >= 0 && machine;
             machine = service_next(d->service, machine))
                r = append_machine(reply, machine);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(d->bus, reply, NULL);
}
