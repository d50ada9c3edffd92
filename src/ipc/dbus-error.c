/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table: what went wrong -> the name D-Bus clients know it by. Bare errno values go through sd-bus's own table. */
#include "ipc/dbus-error.h"

#include <errno.h>

#define DBUS_ERROR(name) "org.freedesktop.DBus.Error." name
#define SYSTEMD_ERROR(name) "org.freedesktop.systemd1." name
#define MACHINE_ERROR(name) "org.freedesktop.machine1." name

static const char *const names[_FAULT_MAX] = {
        [FAULT_NO_SUCH_MACHINE] = MACHINE_ERROR("NoSuchMachine"),
        [FAULT_NO_SUCH_IMAGE] = MACHINE_ERROR("NoSuchImage"),
        [FAULT_NO_MACHINE_FOR_PID] = MACHINE_ERROR("NoMachineForPID"),
        [FAULT_MACHINE_EXISTS] = MACHINE_ERROR("MachineExists"),
        [FAULT_NO_PRIVATE_NETWORKING] = MACHINE_ERROR("NoPrivateNetworking"),
        [FAULT_NO_USER_MAPPING] = MACHINE_ERROR("NoSuchUserMapping"),
        [FAULT_NO_GROUP_MAPPING] = MACHINE_ERROR("NoSuchGroupMapping"),
        [FAULT_USER_IN_HOST_RANGE] = MACHINE_ERROR("NoSuchUserMapping"),
        [FAULT_GROUP_IN_HOST_RANGE] = MACHINE_ERROR("NoSuchGroupMapping"),
        [FAULT_NO_OS_RELEASE] = DBUS_ERROR("FileNotFound"),
        [FAULT_NO_UID_SHIFT] = DBUS_ERROR("NotSupported"),
        [FAULT_NOT_AVAILABLE] = DBUS_ERROR("NotSupported"),
        [FAULT_NOT_SUPPORTED] = DBUS_ERROR("NotSupported"),
        [FAULT_NOT_CONTAINER] = DBUS_ERROR("InvalidArgs"),
        [FAULT_INVALID_ARGUMENT] = DBUS_ERROR("InvalidArgs"),
        [FAULT_ACCESS_DENIED] = DBUS_ERROR("AccessDenied"),
        [FAULT_INTERACTIVE_AUTH] = DBUS_ERROR("InteractiveAuthorizationRequired"),
        [FAULT_LIMIT] = DBUS_ERROR("LimitsExceeded"),
        [FAULT_TOO_MANY_OPERATIONS] = DBUS_ERROR("LimitsExceeded"),
        [FAULT_NO_SUCH_PROCESS] = DBUS_ERROR("UnixProcessIdUnknown"),
        [FAULT_NO_SUCH_UNIT] = SYSTEMD_ERROR("NoSuchUnit"),
        [FAULT_NO_UNIT_FOR_PID] = SYSTEMD_ERROR("NoUnitForPID"),
        [FAULT_UNIT_EXISTS] = SYSTEMD_ERROR("UnitExists"),
        [FAULT_UNIT_NOT_RUNNING] = SYSTEMD_ERROR("ScopeNotRunning"),
        [FAULT_NOT_REFERENCED] = SYSTEMD_ERROR("NotReferenced"),
        [FAULT_SCOPE_REFUSED] = SYSTEMD_ERROR("JobFailed"),
};

const char *dbus_fault_name(enum fault_kind kind) {
        return kind < _FAULT_MAX ? names[kind] : NULL;
}

int dbus_error_from_fault(sd_bus_error *error, const struct fault *f) {
        const char *name = dbus_fault_name(f->kind);

        if (*f->peer_error) /* clients of the original know the service manager's names */
                name = f->peer_error;
        if (name)
                return sd_bus_error_set(error, name, f->text);
        return sd_bus_error_set_errnof(error, f->error < 0 ? f->error : -EIO, "%s", f->text);
}

int dbus_reply_fault(sd_bus_message *call, const struct fault *f) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        dbus_error_from_fault(&error, f);
        r = sd_bus_reply_method_error(call, &error);
        sd_bus_error_free(&error);
        return r;
}
