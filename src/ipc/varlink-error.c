/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/varlink-error.h"

#include <errno.h>

#include "base/errname.h"

#define MACHINE(name) "io.systemd.Machine." name
#define SERVICE(name) "org.varlink.service." name

static const char *const names[_FAULT_MAX] = {
        [FAULT_ERRNO] = "io.systemd.System",
        [FAULT_NO_SUCH_MACHINE] = MACHINE("NoSuchMachine"),
        [FAULT_NO_SUCH_IMAGE] = "io.systemd.MachineImage.NoSuchImage",
        [FAULT_NO_MACHINE_FOR_PID] = MACHINE("NoSuchMachine"),
        [FAULT_MACHINE_EXISTS] = MACHINE("MachineExists"),
        [FAULT_NO_PRIVATE_NETWORKING] = MACHINE("NoPrivateNetworking"),
        [FAULT_NO_USER_MAPPING] = MACHINE("NoSuchUser"),
        [FAULT_NO_GROUP_MAPPING] = MACHINE("NoSuchGroup"),
        [FAULT_USER_IN_HOST_RANGE] = MACHINE("UserInHostRange"),
        [FAULT_GROUP_IN_HOST_RANGE] = MACHINE("GroupInHostRange"),
        [FAULT_NO_OS_RELEASE] = MACHINE("NoOSReleaseInformation"),
        [FAULT_NO_UID_SHIFT] = MACHINE("NoUIDShift"),
        [FAULT_NOT_AVAILABLE] = MACHINE("NotAvailable"),
        [FAULT_NOT_SUPPORTED] = MACHINE("NotSupported"),
        [FAULT_NOT_CONTAINER] = MACHINE("NotSupported"),
        [FAULT_INVALID_ARGUMENT] = SERVICE("InvalidParameter"),
        [FAULT_ACCESS_DENIED] = SERVICE("PermissionDenied"),
        [FAULT_INTERACTIVE_AUTH] = "io.systemd.InteractiveAuthenticationRequired",
        [FAULT_LIMIT] = "io.systemd.System",
        [FAULT_TOO_MANY_OPERATIONS] = MACHINE("TooManyOperations"),
        [FAULT_NO_SUCH_PROCESS] = SERVICE("InvalidParameter"),
        [FAULT_SCOPE_REFUSED] = "io.systemd.System",
};

const char *varlink_fault_name(enum fault_kind kind) {
        return kind < _FAULT_MAX ? names[kind] : NULL;
}

static void add_errno(struct json_text *j, int error) {
        const char *name = errno_name(error);

        json_text_string(j, "origin", "linux");
        json_text_signed(j, "errno", error < 0 ? -error : error);
        if (name)
                json_text_string(j, "errnoName", name);
}

void varlink_fault_parameters(struct json_text *j, const struct fault *f) {
        switch (f->kind) {
        case FAULT_ERRNO:
        case FAULT_SCOPE_REFUSED:
                add_errno(j, f->error);
                return;
        case FAULT_LIMIT:
                add_errno(j, ENOBUFS /* what D-Bus calls LimitsExceeded */);
                return;
        case FAULT_INVALID_ARGUMENT:
        case FAULT_NO_SUCH_PROCESS:
                json_text_string(j, "parameter", f->field ? f->field : "");
                return;
        default:
                return;
        }
}
