/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sockets there are, and what is offered on each: what a stock client expects to find there, and no more. */
#include "ipc/varlink-internal.h"

static const struct varlink_method *const machine_methods[] = {
        varlink_machine_methods, varlink_image_methods, varlink_service_methods, varlink_event_methods,
        varlink_session_methods, varlink_state_methods, varlink_common_methods,  NULL,
};
static const char *const machine_interfaces[] = {
        "io.systemd",
        "io.systemd.Machine",
        "io.systemd.MachineImage",
        "io.systemd.service",
        "org.muster.Machine1",
        "org.varlink.service",
        NULL,
};
static const char *const machine_links[] = {
        "systemd/machine/io.systemd.MachineImage",
        "varlink/registry/io.systemd.Machine", /* where `varlinkctl list-registry` and bare interface names look */
        "varlink/registry/io.systemd.MachineImage",
        NULL,
};

static const struct varlink_method *const user_methods[] = { varlink_user_methods, varlink_common_methods, NULL };
static const char *const user_interfaces[] = { "io.systemd", "io.systemd.UserDatabase", "org.varlink.service", NULL };

static const struct varlink_method *const resolve_methods[] = { varlink_resolve_methods, varlink_common_methods, NULL };
static const char *const resolve_interfaces[] = { "io.systemd", "io.systemd.Resolve.Hook", "org.varlink.service",
                                                  NULL };

static const char *const no_links[] = { NULL };

const struct varlink_door_type varlink_door_types[VARLINK_DOORS] = {
        { "systemd/machine/io.systemd.Machine", "varlink", machine_links, machine_interfaces, machine_methods },
        { "systemd/userdb/io.systemd.Machine", NULL, no_links, user_interfaces, user_methods },
        { "systemd/resolve.hook/io.systemd.Machine", NULL, no_links, resolve_interfaces, resolve_methods },
};
