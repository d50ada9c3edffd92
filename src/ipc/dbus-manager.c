/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Manager object: verbs by machine name. */
#include <errno.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

#define POOL_PATH "/var/lib/machines"

#define HANDLER(name) static int name(sd_bus_message *m, void *userdata, sd_bus_error *error)

/* Reads the machine name, the first argument everywhere, and looks it up first of all (registry.md section 4). */
static int read_target(struct dbus *d, sd_bus_message *m, const char **ret_name, struct machine **ret,
                       sd_bus_error *error) {
        struct fault f = FAULT_OK;
        struct machine *found = NULL;
        int r;

        r = sd_bus_message_read_basic(m, 's', ret_name);
        if (r < 0)
                return r;
        if (service_target(d->service, strempty(*ret_name), -1, &found, &f) < 0)
                return dbus_error_from_fault(error, &f);
        if (ret)
                *ret = found;
        return 0;
}

static int verb_by_name(sd_bus_message *m, struct dbus *d, enum verb verb, int (*reply)(struct dbus_call *call),
                        sd_bus_error *error) {
        const char *name;
        int r = read_target(d, m, &name, NULL, error);

        return r < 0 ? r : dbus_verb(d, m, verb, name, reply);
}

HANDLER(method_get_machine) {
        char path[MACHINE_PATH_SIZE];
        struct machine *machine;
        const char *name;
        int r = read_target(userdata, m, &name, &machine, error);

        return r < 0 ? r : sd_bus_reply_method_return(m, "o", dbus_machine_path(machine->name, path));
}

/* machinectl start asks for it, and for no more than whether there is one. */
HANDLER(method_get_image) {
        AUTO_FREE char *path = NULL;
        struct fault f = FAULT_OK;
        struct dbus *d = userdata;
        const char *name;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        if (service_find_image(d->service, name, &f) < 0)
                return dbus_error_from_fault(error, &f);
        r = sd_bus_path_encode(IMAGE_PREFIX, name, &path);
        return r < 0 ? r : sd_bus_reply_method_return(m, "o", path);
}

static int answer_by_pid(struct dbus *d, sd_bus_message *m, pid_t pid, struct fault *f) {
        struct machine *machine = service_find_by_pid(d->service, pid);
        char path[MACHINE_PATH_SIZE];

        if (!machine)
                return fault_set(f, FAULT_NO_MACHINE_FOR_PID, "Process %d belongs to no known machine.", (int) pid);
        sd_bus_reply_method_return(m, "o", dbus_machine_path(machine->name, path));
        return 0;
}

static int caller_by_pid(struct dbus_call *call) {
        if (answer_by_pid(call->d, call->message, dbus_call_pid(call), &call->fault) < 0)
                return -1;
        dbus_call_free(call);
        return 0;
}

HANDLER(method_get_machine_by_pid) {
        struct dbus *d = userdata;
        struct fault f = FAULT_OK;
        struct dbus_call *call;
        uint32_t pid;
        int r;

        r = sd_bus_message_read_basic(m, 'u', &pid);
        if (r < 0)
                return r;
        if (pid > INT32_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%u is no process number.", pid);
        if (pid > 0)
                return answer_by_pid(d, m, (pid_t) pid, &f) < 0 ? dbus_error_from_fault(error, &f) : 1;
        call = dbus_call_new(d, m, NULL);
        if (!call)
                return -ENOMEM;
        call->resolved = caller_by_pid;
        r = dbus_call_resolve(call);
        if (r < 0)
                dbus_call_free(call);
        return r < 0 ? r : 1;
}

HANDLER(method_create) {
        return dbus_register(userdata, m, FORM_PLAIN, true, error);
}

HANDLER(method_create_with_network) {
        return dbus_register(userdata, m, FORM_NETWORK, true, error);
}

HANDLER(method_create_ex) {
        return dbus_register(userdata, m, FORM_EX, true, error);
}

HANDLER(method_register) {
        return dbus_register(userdata, m, FORM_PLAIN, false, error);
}

HANDLER(method_register_with_network) {
        return dbus_register(userdata, m, FORM_NETWORK, false, error);
}

HANDLER(method_register_ex) {
        return dbus_register(userdata, m, FORM_EX, false, error);
}

HANDLER(method_unregister) {
        return verb_by_name(m, userdata, VERB_UNREGISTER, NULL, error);
}

HANDLER(method_terminate) {
        return verb_by_name(m, userdata, VERB_TERMINATE, NULL, error);
}

HANDLER(method_kill) {
        const char *name;
        int r = read_target(userdata, m, &name, NULL, error);

        return r < 0 ? r : dbus_kill(userdata, m, name, error);
}

HANDLER(method_get_addresses) {
        return verb_by_name(m, userdata, VERB_ADDRESSES, dbus_reply_addresses, error);
}

HANDLER(method_get_os_release) {
        return verb_by_name(m, userdata, VERB_OS_RELEASE, dbus_reply_os_release, error);
}

HANDLER(method_open_root) {
        return verb_by_name(m, userdata, VERB_OPEN_ROOT, dbus_reply_root, error);
}

static int open_by_name(sd_bus_message *m, struct dbus *d, enum verb verb, sd_bus_error *error) {
        const char *name;
        int r = read_target(d, m, &name, NULL, error);

        return r < 0 ? r : dbus_open(d, m, verb, name, error);
}

HANDLER(method_open_pty) {
        return open_by_name(m, userdata, VERB_OPEN_PTY, error);
}

HANDLER(method_open_login) {
        return open_by_name(m, userdata, VERB_OPEN_LOGIN, error);
}

HANDLER(method_open_shell) {
        return open_by_name(m, userdata, VERB_OPEN_SHELL, error);
}

static int transfer_by_name(sd_bus_message *m, struct dbus *d, enum verb verb, bool flags, sd_bus_error *error) {
        const char *name;
        int r = read_target(d, m, &name, NULL, error);

        return r < 0 ? r : dbus_transfer(d, m, verb, name, flags, error);
}

HANDLER(method_bind) {
        return transfer_by_name(m, userdata, VERB_BIND, false, error);
}

HANDLER(method_copy_from) {
        return transfer_by_name(m, userdata, VERB_COPY_FROM, false, error);
}

HANDLER(method_copy_to) {
        return transfer_by_name(m, userdata, VERB_COPY_TO, false, error);
}

HANDLER(method_copy_from_with_flags) {
        return transfer_by_name(m, userdata, VERB_COPY_FROM, true, error);
}

HANDLER(method_copy_to_with_flags) {
        return transfer_by_name(m, userdata, VERB_COPY_TO, true, error);
}

HANDLER(method_get_ssh_info) {
        struct machine *machine;
        const char *name;
        int r = read_target(userdata, m, &name, &machine, error);

        return r < 0 ? r : dbus_answer_ssh_info(m, machine, error);
}

HANDLER(method_get_uid_shift) {
        struct machine *machine;
        const char *name;
        int r = read_target(userdata, m, &name, &machine, error);

        return r < 0 ? r : dbus_answer_uid_shift(userdata, m, machine, error);
}

/* ---- user and group mapping ---- */

static int map_from(struct dbus *d, sd_bus_message *m, bool gid, sd_bus_error *error) {
        struct fault f = FAULT_OK;
        uint32_t inner, outer = 0;
        struct machine *machine;
        const char *name;
        int r;

        r = read_target(d, m, &name, &machine, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(m, 'u', &inner);
        if (r < 0)
                return r;
        if (service_map_from(d->service, machine, gid, inner, &outer, &f) < 0)
                return dbus_error_from_fault(error, &f);
        return sd_bus_reply_method_return(m, "u", outer);
}

static int map_to(struct dbus *d, sd_bus_message *m, bool gid, sd_bus_error *error) {
        const struct machine *machine = NULL;
        char path[MACHINE_PATH_SIZE];
        struct fault f = FAULT_OK;
        uint32_t outer, inner = 0;
        int r;

        r = sd_bus_message_read_basic(m, 'u', &outer);
        if (r < 0)
                return r;
        if (service_map_to(d->service, gid, outer, &machine, &inner, &f) < 0)
                return dbus_error_from_fault(error, &f);
        return sd_bus_reply_method_return(m, "sou", machine->name, dbus_machine_path(machine->name, path), inner);
}

HANDLER(method_map_from_user) {
        return map_from(userdata, m, false, error);
}

HANDLER(method_map_from_group) {
        return map_from(userdata, m, true, error);
}

HANDLER(method_map_to_user) {
        return map_to(userdata, m, false, error);
}

HANDLER(method_map_to_group) {
        return map_to(userdata, m, true, error);
}

/* ---- the pool: images land later, so there is a path but neither usage nor limit ---- */

static int get_pool_path(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append_basic(reply, 's', POOL_PATH);
}

static int get_pool_unknown(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        uint64_t unknown = UINT64_MAX;

        return sd_bus_message_append_basic(reply, 't', &unknown);
}

#define OPEN SD_BUS_VTABLE_UNPRIVILEGED
#define METHOD(name, args, result, handler) \
        SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS args, SD_BUS_RESULT result, handler, OPEN)
#define METHOD_NO_RESULT(name, args, handler) \
        SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_ARGS args, SD_BUS_NO_RESULT, handler, OPEN)
#define METHOD_NO_ARGS(name, result, handler) \
        SD_BUS_METHOD_WITH_ARGS(name, SD_BUS_NO_ARGS, SD_BUS_RESULT result, handler, OPEN)

const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("PoolPath", "s", get_pool_path, 0, 0),
        SD_BUS_PROPERTY("PoolUsage", "t", get_pool_unknown, 0, 0),
        SD_BUS_PROPERTY("PoolLimit", "t", get_pool_unknown, 0, 0),
        METHOD("GetMachine", ("s", name), ("o", machine), method_get_machine),
        METHOD("GetImage", ("s", name), ("o", image), method_get_image),
        METHOD("GetMachineByPID", ("u", pid), ("o", machine), method_get_machine_by_pid),
        METHOD_NO_ARGS("ListMachines", ("a(ssso)", machines), dbus_list_machines),
        METHOD_NO_ARGS("ListImages", ("a(ssbttto)", images), dbus_not_supported),
        METHOD("CreateMachine",
               ("s", name, "ay", id, "s", service, "s", class, "u", leader, "s", root_directory, "a(sv)",
                scope_properties),
               ("o", path), method_create),
        METHOD("CreateMachineWithNetwork",
               ("s", name, "ay", id, "s", service, "s", class, "u", leader, "s", root_directory, "ai", ifindices,
                "a(sv)", scope_properties),
               ("o", path), method_create_with_network),
        METHOD("CreateMachineEx", ("s", name, "a(sv)", properties, "a(sv)", scope_properties), ("o", path),
               method_create_ex),
        METHOD("RegisterMachine", ("s", name, "ay", id, "s", service, "s", class, "u", leader, "s", root_directory),
               ("o", path), method_register),
        METHOD("RegisterMachineWithNetwork",
               ("s", name, "ay", id, "s", service, "s", class, "u", leader, "s", root_directory, "ai", ifindices),
               ("o", path), method_register_with_network),
        METHOD("RegisterMachineEx", ("s", name, "a(sv)", properties), ("o", path), method_register_ex),
        METHOD_NO_RESULT("UnregisterMachine", ("s", name), method_unregister),
        METHOD_NO_RESULT("TerminateMachine", ("s", id), method_terminate),
        METHOD_NO_RESULT("KillMachine", ("s", name, "s", whom, "i", signal), method_kill),
        METHOD("GetMachineAddresses", ("s", name), ("a(iay)", addresses), method_get_addresses),
        METHOD("GetMachineSSHInfo", ("s", name), ("s", ssh_address, "s", ssh_private_key_path), method_get_ssh_info),
        METHOD("GetMachineOSRelease", ("s", name), ("a{ss}", fields), method_get_os_release),
        METHOD("OpenMachinePTY", ("s", name), ("h", pty, "s", pty_path), method_open_pty),
        METHOD("OpenMachineLogin", ("s", name), ("h", pty, "s", pty_path), method_open_login),
        METHOD("OpenMachineShell", ("s", name, "s", user, "s", path, "as", args, "as", environment),
               ("h", pty, "s", pty_path), method_open_shell),
        METHOD_NO_RESULT("BindMountMachine", ("s", name, "s", source, "s", destination, "b", read_only, "b", mkdir),
                         method_bind),
        METHOD_NO_RESULT("CopyFromMachine", ("s", name, "s", source, "s", destination), method_copy_from),
        METHOD_NO_RESULT("CopyToMachine", ("s", name, "s", source, "s", destination), method_copy_to),
        METHOD_NO_RESULT("CopyFromMachineWithFlags", ("s", name, "s", source, "s", destination, "t", flags),
                         method_copy_from_with_flags),
        METHOD_NO_RESULT("CopyToMachineWithFlags", ("s", name, "s", source, "s", destination, "t", flags),
                         method_copy_to_with_flags),
        METHOD("OpenMachineRootDirectory", ("s", name), ("h", fd), method_open_root),
        METHOD("GetMachineUIDShift", ("s", name), ("u", shift), method_get_uid_shift),
        METHOD_NO_RESULT("RemoveImage", ("s", name), dbus_not_supported),
        METHOD_NO_RESULT("RenameImage", ("s", name, "s", new_name), dbus_not_supported),
        METHOD_NO_RESULT("CloneImage", ("s", name, "s", new_name, "b", read_only), dbus_not_supported),
        METHOD_NO_RESULT("MarkImageReadOnly", ("s", name, "b", read_only), dbus_not_supported),
        METHOD("GetImageHostname", ("s", name), ("s", hostname), dbus_not_supported),
        METHOD("GetImageMachineID", ("s", name), ("ay", id), dbus_not_supported),
        METHOD("GetImageMachineInfo", ("s", name), ("a{ss}", machine_info), dbus_not_supported),
        METHOD("GetImageOSRelease", ("s", name), ("a{ss}", os_release), dbus_not_supported),
        METHOD_NO_RESULT("SetPoolLimit", ("t", size), dbus_not_supported),
        METHOD_NO_RESULT("SetImageLimit", ("s", name, "t", size), dbus_not_supported),
        METHOD("CleanPool", ("s", mode), ("a(st)", images), dbus_not_supported),
        METHOD("MapFromMachineUser", ("s", name, "u", uid_inner), ("u", uid_outer), method_map_from_user),
        METHOD("MapToMachineUser", ("u", uid_outer), ("s", machine_name, "o", machine_path, "u", uid_inner),
               method_map_to_user),
        METHOD("MapFromMachineGroup", ("s", name, "u", gid_inner), ("u", gid_outer), method_map_from_group),
        METHOD("MapToMachineGroup", ("u", gid_outer), ("s", machine_name, "o", machine_path, "u", gid_inner),
               method_map_to_group),
        SD_BUS_SIGNAL_WITH_ARGS("MachineNew", SD_BUS_ARGS("s", machine, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("MachineRemoved", SD_BUS_ARGS("s", machine, "o", path), 0),
        SD_BUS_VTABLE_END,
};
