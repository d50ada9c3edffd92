/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Machine object: its properties, its own variants of the verbs, and what both objects answer alike. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

/* ---- object paths (registry.md 1.4) ---- */

char *dbus_machine_path(const char *name, char *ret) {
        static const char hex[] = "0123456789abcdef";
        char *p = stpcpy(ret, MACHINE_PREFIX "/");

        for (const char *c = name; *c; c++) {
                bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
                bool digit = *c >= '0' && *c <= '9' && c != name;

                if (letter || digit) {
                        *p++ = *c;
                        continue;
                }
                *p++ = '_';
                *p++ = hex[(uint8_t) *c >> 4];
                *p++ = hex[(uint8_t) *c & 15];
        }
        *p = '\0';
        return ret;
}

int dbus_machine_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                      sd_bus_error *error) {
        AUTO_FREE char *name = NULL;
        struct dbus *d = userdata;
        int r;

        r = sd_bus_path_decode(path, MACHINE_PREFIX, &name);
        if (r <= 0)
                return r;
        d->found.machine = service_find(d->service, name);
        if (!d->found.machine)
                return 0;
        *ret_found = &d->found;
        return 1;
}

int dbus_machine_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        struct dbus *d = userdata;
        char path[MACHINE_PATH_SIZE];
        char **nodes;
        size_t n = 0;

        nodes = calloc(service_count(d->service) + 2, sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;
        for (struct machine *m = service_first(d->service, true); m; m = service_next(d->service, m)) {
                nodes[n] = strdup(dbus_machine_path(m->name, path));
                if (!nodes[n++]) {
                        strv_free(nodes);
                        return -ENOMEM;
                }
        }
        *ret_nodes = nodes;
        return 1;
}

/* ---- properties ---- */

#define GETTER(name)                                                                                \
        static int name(sd_bus *bus, const char *path, const char *interface, const char *property, \
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
#define MACHINE_OF(userdata) (((const struct found *) (userdata))->machine)

#define STRING_GETTER(name, value)                                               \
        GETTER(name) {                                                           \
                const struct machine *m = MACHINE_OF(userdata);                  \
                                                                                 \
                return sd_bus_message_append_basic(reply, 's', strempty(value)); \
        }
#define NUMBER_GETTER(name, signature, ctype, value)                           \
        GETTER(name) {                                                         \
                const struct machine *m = MACHINE_OF(userdata);                \
                ctype number = (value);                                        \
                                                                               \
                return sd_bus_message_append_basic(reply, signature, &number); \
        }

STRING_GETTER(get_name, m->name)
STRING_GETTER(get_service, m->service)
STRING_GETTER(get_unit, m->unit)
STRING_GETTER(get_subgroup, m->subgroup)
STRING_GETTER(get_class, machine_class_to_string(m->class))
STRING_GETTER(get_state, machine_state_to_string(m->state))
STRING_GETTER(get_root_directory, m->root_directory)
STRING_GETTER(get_ssh_address, m->ssh_address)
STRING_GETTER(get_ssh_key, m->ssh_private_key_path)
NUMBER_GETTER(get_timestamp, 't', uint64_t, m->realtime_usec)
NUMBER_GETTER(get_timestamp_monotonic, 't', uint64_t, m->monotonic_usec)
NUMBER_GETTER(get_leader, 'u', uint32_t, (uint32_t) m->leader.pid)
NUMBER_GETTER(get_leader_id, 't', uint64_t, m->leader.id)
NUMBER_GETTER(get_supervisor, 'u', uint32_t, (uint32_t) m->supervisor.pid)
NUMBER_GETTER(get_supervisor_id, 't', uint64_t, m->supervisor.id)
NUMBER_GETTER(get_vsock_cid, 'u', uint32_t, m->vsock_cid)
NUMBER_GETTER(get_uid, 'u', uint32_t, (uint32_t) m->uid)

GETTER(get_id) {
        const struct machine *m = MACHINE_OF(userdata);

        return sd_bus_message_append_array(reply, 'y', m->id.bytes, id128_is_null(&m->id) ? 0 : sizeof(m->id.bytes));
}

GETTER(get_ifindices) {
        const struct machine *m = MACHINE_OF(userdata);

        return sd_bus_message_append_array(reply, 'i', m->ifindices, m->n_ifindices * sizeof(*m->ifindices));
}

/* ---- answers that both the Manager's and the Machine's methods give ---- */

int dbus_not_supported(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_error_setf(error, SD_BUS_ERROR_NOT_SUPPORTED, "Muster does not carry out %s yet.",
                                 strempty(sd_bus_message_get_member(m)));
}

int dbus_verb(struct dbus *d, sd_bus_message *m, enum verb verb, const char *name,
              int (*reply)(struct dbus_call *call)) {
        AUTO(request_unrefp) struct request *q = NULL;
        int r;

        r = request_new(d->service, verb, &q);
        if (r < 0)
                return r;
        q->name = strdup(name);
        if (!q->name)
                return -ENOMEM;
        return dbus_submit(d, m, STEAL(q), reply);
}

int dbus_kill(struct dbus *d, sd_bus_message *m, const char *name, sd_bus_error *error) {
        AUTO(request_unrefp) struct request *q = NULL;
        const char *whom;
        int32_t sig;
        int r;

        r = sd_bus_message_read(m, "si", &whom, &sig);
        if (r < 0)
                return r;
        r = request_new(d->service, VERB_KILL, &q);
        if (r < 0)
                return r;
        q->name = strdup(name);
        if (!q->name)
                return -ENOMEM;
        q->signal = sig;
        r = isempty(whom) ? KILL_ALL : kill_whom_from_string(whom);
        if (r < 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "Whom to kill must be 'leader', 'supervisor' or 'all'.");
        q->whom = (enum kill_whom) r;
        return dbus_submit(d, m, STEAL(q), NULL);
}

int dbus_reply_addresses(struct dbus_call *call) {
        const struct inspect_result *result = call->request->inspected;
        AUTO(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(iay)");
        for (size_t i = 0; r >= 0 && i < result->n_addresses; i++) {
                const struct address *a = &result->addresses[i];
                int32_t family = a->family;

                r = sd_bus_message_open_container(reply, 'r', "iay");
                if (r >= 0)
                        r = sd_bus_message_append_basic(reply, 'i', &family);
                if (r >= 0)
                        r = sd_bus_message_append_array(reply, 'y', a->bytes, a->family == AF_INET ? 4 : 16);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(call->d->bus, reply, NULL);
}

static int append_os_release(sd_bus_message *reply, const char *assignment) {
        const char *value = strchr(assignment, '=');
        AUTO_FREE char *key = NULL;

        if (!value)
                return 0;
        key = strndup(assignment, (size_t) (value - assignment));
        return key ? sd_bus_message_append(reply, "{ss}", key, value + 1) : -ENOMEM;
}

int dbus_reply_os_release(struct dbus_call *call) {
        const struct inspect_result *result = call->request->inspected;
        AUTO(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{ss}");
        for (char *const *line = result->os_release; r >= 0 && line && *line; line++)
                r = append_os_release(reply, *line);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(call->d->bus, reply, NULL);
}

int dbus_reply_root(struct dbus_call *call) {
        return sd_bus_reply_method_return(call->message, "h", call->request->inspected->fd); /* which duplicates it */
}

int dbus_answer_uid_shift(struct dbus *d, sd_bus_message *m, const struct machine *machine, sd_bus_error *error) {
        struct fault f = FAULT_OK;
        uint32_t shift = 0;

        if (service_uid_shift(d->service, machine, &shift, &f) < 0)
                return dbus_error_from_fault(error, &f);
        return sd_bus_reply_method_return(m, "u", shift);
}

int dbus_answer_ssh_info(sd_bus_message *m, const struct machine *machine, sd_bus_error *error) {
        if (!machine->ssh_address || !machine->ssh_private_key_path)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND,
                                         "Machine '%s' was registered without SSH access.", machine->name);
        return sd_bus_reply_method_return(m, "ss", machine->ssh_address, machine->ssh_private_key_path);
}

/* ---- the Machine's own methods ---- */

static int method_terminate(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_verb(found->d, m, VERB_TERMINATE, found->machine->name, NULL);
}

static int method_kill(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_kill(found->d, m, found->machine->name, error);
}

static int method_get_addresses(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_verb(found->d, m, VERB_ADDRESSES, found->machine->name, dbus_reply_addresses);
}

static int method_get_os_release(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_verb(found->d, m, VERB_OS_RELEASE, found->machine->name, dbus_reply_os_release);
}

static int method_open_root(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_verb(found->d, m, VERB_OPEN_ROOT, found->machine->name, dbus_reply_root);
}

static int method_open_pty(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_open(found->d, m, VERB_OPEN_PTY, found->machine->name, error);
}

static int method_open_login(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_open(found->d, m, VERB_OPEN_LOGIN, found->machine->name, error);
}

static int method_open_shell(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_open(found->d, m, VERB_OPEN_SHELL, found->machine->name, error);
}

static int method_bind(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_transfer(found->d, m, VERB_BIND, found->machine->name, false, error);
}

static int method_copy_from(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_transfer(found->d, m, VERB_COPY_FROM, found->machine->name, false, error);
}

static int method_copy_to(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_transfer(found->d, m, VERB_COPY_TO, found->machine->name, false, error);
}

static int method_copy_from_with_flags(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_transfer(found->d, m, VERB_COPY_FROM, found->machine->name, true, error);
}

static int method_copy_to_with_flags(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_transfer(found->d, m, VERB_COPY_TO, found->machine->name, true, error);
}

static int method_get_ssh_info(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return dbus_answer_ssh_info(m, MACHINE_OF(userdata), error);
}

static int method_get_uid_shift(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct found *found = userdata;

        return dbus_answer_uid_shift(found->d, m, found->machine, error);
}

#define CONST SD_BUS_VTABLE_PROPERTY_CONST
#define OPEN SD_BUS_VTABLE_UNPRIVILEGED

const sd_bus_vtable machine_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, CONST),
        SD_BUS_PROPERTY("Id", "ay", get_id, 0, CONST),
        SD_BUS_PROPERTY("Timestamp", "t", get_timestamp, 0, CONST),
        SD_BUS_PROPERTY("TimestampMonotonic", "t", get_timestamp_monotonic, 0, CONST),
        SD_BUS_PROPERTY("Service", "s", get_service, 0, CONST),
        SD_BUS_PROPERTY("Unit", "s", get_unit, 0, CONST),
        SD_BUS_PROPERTY("Scope", "s", get_unit, 0, CONST | SD_BUS_VTABLE_HIDDEN),
        SD_BUS_PROPERTY("Subgroup", "s", get_subgroup, 0, CONST),
        SD_BUS_PROPERTY("Leader", "u", get_leader, 0, CONST),
        SD_BUS_PROPERTY("LeaderPIDFDId", "t", get_leader_id, 0, CONST),
        SD_BUS_PROPERTY("Supervisor", "u", get_supervisor, 0, CONST),
        SD_BUS_PROPERTY("SupervisorPIDFDId", "t", get_supervisor_id, 0, CONST),
        SD_BUS_PROPERTY("Class", "s", get_class, 0, CONST),
        SD_BUS_PROPERTY("RootDirectory", "s", get_root_directory, 0, CONST),
        SD_BUS_PROPERTY("NetworkInterfaces", "ai", get_ifindices, 0, CONST),
        SD_BUS_PROPERTY("VSockCID", "u", get_vsock_cid, 0, CONST),
        SD_BUS_PROPERTY("SSHAddress", "s", get_ssh_address, 0, CONST),
        SD_BUS_PROPERTY("SSHPrivateKeyPath", "s", get_ssh_key, 0, CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, 0),
        SD_BUS_PROPERTY("UID", "u", get_uid, 0, CONST),
        SD_BUS_METHOD("Terminate", NULL, NULL, method_terminate, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Kill", SD_BUS_ARGS("s", whom, "i", signal), SD_BUS_NO_RESULT, method_kill, OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetAddresses", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(iay)", addresses),
                                method_get_addresses, OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetSSHInfo", SD_BUS_NO_ARGS,
                                SD_BUS_RESULT("s", ssh_address, "s", ssh_private_key_path), method_get_ssh_info, OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetOSRelease", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{ss}", fields), method_get_os_release,
                                OPEN),
        SD_BUS_METHOD_WITH_ARGS("GetUIDShift", SD_BUS_NO_ARGS, SD_BUS_RESULT("u", shift), method_get_uid_shift, OPEN),
        SD_BUS_METHOD_WITH_ARGS("OpenPTY", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", pty, "s", pty_path), method_open_pty,
                                OPEN),
        SD_BUS_METHOD_WITH_ARGS("OpenLogin", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", pty, "s", pty_path), method_open_login,
                                OPEN),
        SD_BUS_METHOD_WITH_ARGS("OpenShell", SD_BUS_ARGS("s", user, "s", path, "as", args, "as", environment),
                                SD_BUS_RESULT("h", pty, "s", pty_path), method_open_shell, OPEN),
        SD_BUS_METHOD_WITH_ARGS("BindMount", SD_BUS_ARGS("s", source, "s", destination, "b", read_only, "b", mkdir),
                                SD_BUS_NO_RESULT, method_bind, OPEN),
        SD_BUS_METHOD_WITH_ARGS("CopyFrom", SD_BUS_ARGS("s", source, "s", destination), SD_BUS_NO_RESULT,
                                method_copy_from, OPEN),
        SD_BUS_METHOD_WITH_ARGS("CopyTo", SD_BUS_ARGS("s", source, "s", destination), SD_BUS_NO_RESULT, method_copy_to,
                                OPEN),
        SD_BUS_METHOD_WITH_ARGS("CopyFromWithFlags", SD_BUS_ARGS("s", source, "s", destination, "t", flags),
                                SD_BUS_NO_RESULT, method_copy_from_with_flags, OPEN),
        SD_BUS_METHOD_WITH_ARGS("CopyToWithFlags", SD_BUS_ARGS("s", source, "s", destination, "t", flags),
                                SD_BUS_NO_RESULT, method_copy_to_with_flags, OPEN),
        SD_BUS_METHOD_WITH_ARGS("OpenRootDirectory", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", fd), method_open_root, OPEN),
        SD_BUS_VTABLE_END,
};
