/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The six ways to register a machine, decoded into one request. What the values mean is for service/register.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

#define IFINDICES_LIMIT 4096 /* service/ knows the real bound; this one guards the copy */

static int bad(sd_bus_error *error, const char *sentence) {
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, sentence);
}

static int read_id(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        struct id128 *id = &reg->machine->id;
        const void *bytes;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, 'y', &bytes, &size);
        if (r < 0)
                return r;
        if (size != 0 && size != sizeof(id->bytes))
                return bad(error, "The machine id must have 16 bytes, or none.");
        if (size > 0)
                memcpy(id->bytes, bytes, size);
        return 0;
}

static int read_string(sd_bus_message *m, char **field) {
        const char *text;
        int r = sd_bus_message_read_basic(m, 's', &text);

        return r < 0 ? r : str_replace(field, text);
}

static int read_class(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        const char *text;
        int r;

        r = sd_bus_message_read_basic(m, 's', &text);
        if (r < 0)
                return r;
        r = isempty(text) ? _MACHINE_CLASS_MAX : machine_class_from_string(text); /* "": service/ says no */
        if (r < 0 || r == MACHINE_HOST)
                return bad(error, "The class must be 'container' or 'vm'.");
        reg->machine->class = (enum machine_class) r;
        return 0;
}

static int read_leader(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        uint32_t pid;
        int r;

        r = sd_bus_message_read_basic(m, 'u', &pid);
        if (r < 0)
                return r;
        if (pid > INT32_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_UNIX_PROCESS_ID_UNKNOWN, "%u is no process number.", pid);
        reg->machine->leader.pid = (pid_t) pid;
        return 0;
}

static int read_leader_fd(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        int fd, r;

        r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0)
                return r;
        machine_close_fd(reg->leader_fd);
        reg->leader_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return reg->leader_fd < 0 ? -errno : 0;
}

static int read_leader_id(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        return sd_bus_message_read_basic(m, 't', &reg->leader_id);
}

static int read_ifindices(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        struct machine *machine = reg->machine;
        const void *data;
        size_t size;
        int32_t *copy;
        int r;

        r = sd_bus_message_read_array(m, 'i', &data, &size);
        if (r < 0)
                return r;
        if (size / sizeof(int32_t) > IFINDICES_LIMIT)
                return bad(error, "There are too many network interfaces.");
        copy = size > 0 ? malloc(size) : NULL;
        if (size > 0 && !copy)
                return -ENOMEM;
        if (copy)
                memcpy(copy, data, size);
        free(machine->ifindices);
        machine->ifindices = copy;
        machine->n_ifindices = size / sizeof(int32_t);
        return 0;
}

static int read_service(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        return read_string(m, &reg->machine->service);
}

static int read_root(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        return read_string(m, &reg->machine->root_directory);
}

static int read_ssh_address(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        return read_string(m, &reg->machine->ssh_address);
}

static int read_ssh_key(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        return read_string(m, &reg->machine->ssh_private_key_path);
}

static int read_vsock_cid(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        int r = sd_bus_message_read_basic(m, 'u', &reg->machine->vsock_cid);

        if (r >= 0 && reg->machine->vsock_cid == VSOCK_CID_UNSET)
                return bad(error, "The vsock CID must be below 4294967295.");
        return r;
}

/* ---- the newer form: a(sv) ---- */

static const struct key {
        const char *name, *signature;
        int (*read)(sd_bus_message *m, struct registration *reg, sd_bus_error *error);
} keys[] = {
        { "Id", "ay", read_id },
        { "Service", "s", read_service },
        { "Class", "s", read_class },
        { "LeaderPID", "u", read_leader },
        { "LeaderPIDFD", "h", read_leader_fd },
        { "LeaderPIDFDID", "t", read_leader_id },
        { "RootDirectory", "s", read_root },
        { "NetworkInterfaces", "ai", read_ifindices },
        { "VSockCID", "u", read_vsock_cid },
        { "SSHAddress", "s", read_ssh_address },
        { "SSHPrivateKeyPath", "s", read_ssh_key },
};

static int read_key(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        const struct key *key = NULL;
        const char *name;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(keys) && !key; i++)
                if (streq(keys[i].name, name))
                        key = &keys[i];
        if (!key) {
                AUTO_FREE char *shown = str_escape(name, 64);

                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "'%s' is no property of a machine to be registered.", strempty(shown));
        }
        r = sd_bus_message_enter_container(m, 'v', key->signature);
        if (r == -ENXIO)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "The property %s must be of type '%s'.",
                                         key->name, key->signature);
        if (r >= 0)
                r = key->read(m, reg, error);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_keys(sd_bus_message *m, struct registration *reg, sd_bus_error *error) {
        int r;

        reg->machine->class = _MACHINE_CLASS_MAX; /* must be said */
        r = sd_bus_message_enter_container(m, 'a', "(sv)");
        while (r >= 0) {
                r = sd_bus_message_enter_container(m, 'r', "sv");
                if (r <= 0)
                        break;
                r = read_key(m, reg, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                return r;
        if (reg->leader_fd < 0 && (reg->machine->leader.pid != 0) != (reg->leader_id != 0))
                return bad(error, "LeaderPID and LeaderPIDFDID are needed together, or LeaderPIDFD, or none of them.");
        return sd_bus_message_exit_container(m);
}

/* ---- the older forms ---- */

static int read_classic(sd_bus_message *m, enum registration_form form, struct registration *reg, sd_bus_error *error) {
        static int (*const order[])(sd_bus_message * m, struct registration * reg, sd_bus_error * error) = {
                read_id, read_service, read_class, read_leader, read_root,
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(order); i++)
                r = order[i](m, reg, error);
        if (r >= 0 && form == FORM_NETWORK)
                r = read_ifindices(m, reg, error);
        return r;
}

static int registration_new(const char *name, bool create, struct registration **ret) {
        AUTO(registration_freep) struct registration *reg = calloc(1, sizeof(*reg));
        int r;

        if (!reg)
                return -ENOMEM;
        reg->leader_fd = -EBADF;
        reg->create = create;
        r = machine_new(name, &reg->machine);
        if (r < 0)
                return r;
        *ret = STEAL(reg);
        return 0;
}

static int reply_path(struct dbus_call *call) {
        char path[MACHINE_PATH_SIZE];

        return sd_bus_reply_method_return(call->message, "o", dbus_machine_path(call->request->machine->name, path));
}

int dbus_register(struct dbus *d, sd_bus_message *m, enum registration_form form, bool create, sd_bus_error *error) {
        AUTO(request_unrefp) struct request *q = NULL;
        const char *name;
        int r;

        r = request_new(d->service, create ? VERB_CREATE : VERB_REGISTER, &q);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        r = registration_new(name, create, &q->registration);
        if (r < 0)
                return r;
        r = form == FORM_EX ? read_keys(m, q->registration, error) : read_classic(m, form, q->registration, error);
        if (r >= 0 && create)
                r = dbus_read_scope(m, service_ports(d->service)->supervisor.passes_properties, &q->registration->scope,
                                    error);
        if (r < 0)
                return r;
        return dbus_submit(d, m, STEAL(q), reply_path);
}
