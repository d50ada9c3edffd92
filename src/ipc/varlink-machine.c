/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.systemd.Machine but for List (varlink-list.c): parameters in, requests to the service, answers out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/name.h"
#include "ipc/varlink-internal.h"

#define INTERFACE "io.systemd.Machine."
#define IFINDICES_MAX 4096

/* ---- what all have in common ---- */

bool varlink_extract(struct connection *c, const struct varlink_call *call, const struct varlink_field *fields,
                     void *out) {
        const char *parameter = NULL;
        int r = varlink_call_extract(call, fields, out, &parameter);

        if (r >= 0)
                return true;
        if (r == -EINVAL)
                reply_invalid(c, strempty(parameter));
        else
                c->closing = true;
        return false;
}

/* The pid of a process parameter: 0 is the peer; an identity that was given with it must be that of the process now. */
static int resolve_pid(struct connection *c, const struct varlink_process *p, pid_t *ret) {
        const struct process_port *port = &service_ports(c->server->service)->process;
        struct pidref now;
        bool same;

        *ret = p->pid == 0 ? c->pid : p->pid;
        if (p->boot_id.set && !id128_equal(&p->boot_id.value, &c->server->boot_id))
                return -ESRCH;
        if (p->pidfd_id == 0)
                return 0;
        if (port->open(port->impl, *ret, -EBADF, &now) < 0)
                return -ESRCH;
        same = now.id == 0 || now.id == p->pidfd_id;
        port->close(port->impl, &now);
        return same ? 0 : -ESRCH;
}

bool varlink_find_target(struct connection *c, const struct target *t, struct machine **ret) {
        struct fault f = FAULT_OK;
        pid_t pid = -1;

        if (t->name && !streq(t->name, HOST_MACHINE_NAME) && !machine_name_is_valid(t->name)) {
                reply_invalid(c, "name");
                return false;
        }
        if (t->pid.set && resolve_pid(c, &t->pid, &pid) < 0) {
                reply_error(c, INTERFACE "NoSuchMachine", NULL, NULL);
                return false;
        }
        if (service_target(c->server->service, t->name, pid, ret, &f) < 0) {
                reply_fault(c, &f);
                return false;
        }
        return true;
}

static void finish_request(struct request *q) {
        struct connection *c = q->adapter;

        q->adapter = NULL;
        c->request = NULL;
        if (q->fault.kind != FAULT_NONE)
                reply_fault(c, &q->fault);
        else
                reply_empty(c);
        request_unref(q);
        connection_finish_call(c);
}

void varlink_submit(struct connection *c, struct request *q, bool interactive, void (*finish)(struct request *q)) {
        bool needs_process = q->verb == VERB_REGISTER || q->verb == VERB_CREATE;
        struct fault f = FAULT_OK;
        int r = connection_caller(c, needs_process, &q->caller);

        if (r < 0) {
                fault_set_errno(&f, r, "The calling process is gone.");
                reply_fault(c, &f);
                request_unref(q);
                return;
        }
        q->caller.interactive = interactive;
        q->detail_key =
                q->session || q->verb == VERB_OPEN_LOG ? NULL : "name"; /* as those of shells have it: "machine" */
        q->adapter = c;
        q->finish = finish ? finish : finish_request;
        c->request = q;
        c->busy = true;
        request_ref(q); /* finish() may give the other one back */
        service_submit(q);
        request_unref(q);
}

static struct request *request_for(struct connection *c, enum verb verb, const char *name) {
        struct request *q = NULL;

        if (request_new(c->server->service, verb, &q) < 0) {
                c->closing = true;
                return NULL;
        }
        q->name = name ? strdup(name) : NULL;
        if (name && !q->name) {
                request_unref(q);
                c->closing = true;
                return NULL;
        }
        return q;
}

/* ---- Register ---- */

struct register_parameters {
        const char *name, *service, *root, *ssh_address, *ssh_key, *control_address;
        struct varlink_id128 id;
        int class;
        struct varlink_int leader, vsock_cid;
        struct varlink_process leader_process;
        struct varlink_array ifindices;
        bool allocate_unit, interactive;
};

#define REGISTER(member) offsetof(struct register_parameters, member)
static const struct varlink_field register_fields[] = {
        { "name", VARLINK_STRING, REGISTER(name), .required = true },
        { "id", VARLINK_ID128, REGISTER(id) },
        { "service", VARLINK_STRING, REGISTER(service) },
        { "class", VARLINK_ENUM, REGISTER(class), .required = true, .from_string = machine_class_from_string },
        { "leader", VARLINK_INT, REGISTER(leader), .min = 0, .max = INT32_MAX },
        { "leaderProcessId", VARLINK_PROCESS, REGISTER(leader_process) },
        { "supervisor", VARLINK_ANY_INT },
        { "supervisorProcessId", VARLINK_ANY_PROCESS },
        { "rootDirectory", VARLINK_STRING, REGISTER(root) },
        { "ifIndices", VARLINK_INTS, REGISTER(ifindices), .min = 1, .max = INT32_MAX },
        { "vSockCid", VARLINK_INT, REGISTER(vsock_cid), .min = 3, .max = UINT32_MAX - 1 },
        { "sshAddress", VARLINK_STRING, REGISTER(ssh_address) },
        { "sshPrivateKeyPath", VARLINK_STRING, REGISTER(ssh_key) },
        { "controlAddress", VARLINK_STRING, REGISTER(control_address) },
        { "allocateUnit", VARLINK_BOOL, REGISTER(allocate_unit) },
        { "allowInteractiveAuthentication", VARLINK_BOOL, REGISTER(interactive) },
        { NULL },
};

static int fill_ifindices(struct machine *m, const struct varlink_array *a) {
        if (a->n == 0)
                return 0;
        if (a->n > IFINDICES_MAX)
                return -E2BIG;
        m->ifindices = calloc(a->n, sizeof(*m->ifindices));
        if (!m->ifindices)
                return -ENOMEM;
        for (size_t i = 0; i < a->n; i++)
                m->ifindices[m->n_ifindices++] = (int32_t) varlink_array_int(a, i);
        return 0;
}

static int fill_machine(struct machine *m, const struct register_parameters *p) {
        m->class = (enum machine_class) p->class;
        if (p->id.set)
                m->id = p->id.value;
        if (p->vsock_cid.set)
                m->vsock_cid = (uint32_t) p->vsock_cid.value;
        if (str_replace(&m->service, p->service) < 0 || str_replace(&m->root_directory, p->root) < 0 ||
            str_replace(&m->ssh_address, p->ssh_address) < 0 || str_replace(&m->ssh_private_key_path, p->ssh_key) < 0 ||
            str_replace(&m->control_address, p->control_address) < 0)
                return -ENOMEM;
        return fill_ifindices(m, &p->ifindices);
}

/* leader and leaderProcessId; both may be given, and then agree. NULL: fine, else the wrong parameter. */
static const char *fill_leader(struct connection *c, struct registration *reg, const struct register_parameters *p) {
        struct pidref *leader = &reg->machine->leader;

        if (p->leader.set)
                leader->pid = (pid_t) p->leader.value;
        if (!p->leader_process.set)
                return NULL;
        if (p->leader.set && p->leader.value != p->leader_process.pid)
                return "leaderProcessId";
        if (p->leader_process.boot_id.set && !id128_equal(&p->leader_process.boot_id.value, &c->server->boot_id))
                return "leaderProcessId";
        leader->pid = p->leader_process.pid;
        reg->leader_id = p->leader_process.pidfd_id;
        return NULL;
}

static int registration_new(const struct register_parameters *p, struct registration **ret) {
        AUTO(registration_freep) struct registration *reg = calloc(1, sizeof(*reg));
        int r;

        if (!reg)
                return -ENOMEM;
        reg->leader_fd = -EBADF;
        reg->create = p->allocate_unit;
        reg->reply_early = true;
        r = machine_new(p->name, &reg->machine);
        if (r >= 0)
                r = fill_machine(reg->machine, p);
        if (r < 0)
                return r;
        *ret = STEAL(reg);
        return 0;
}

static void method_register(struct connection *c, const struct varlink_call *call) {
        struct register_parameters p = { .class = -1 };
        struct registration *reg = NULL;
        const char *wrong;
        struct request *q;
        int r;

        if (!varlink_extract(c, call, register_fields, &p))
                return;
        r = registration_new(&p, &reg);
        if (r < 0) {
                reply_invalid(c, r == -E2BIG ? "ifIndices" : "name");
                return;
        }
        wrong = fill_leader(c, reg, &p);
        q = wrong ? NULL : request_for(c, p.allocate_unit ? VERB_CREATE : VERB_REGISTER, NULL);
        if (!q) {
                registration_free(reg);
                if (wrong)
                        reply_invalid(c, wrong);
                return;
        }
        q->registration = reg;
        varlink_submit(c, q, p.interactive, NULL);
}

/* ---- verbs on a machine ---- */

struct verb_parameters {
        struct target target;
        struct varlink_int signal;
        int whom;
};

static const struct varlink_field target_fields[] = { TARGET_FIELDS(struct verb_parameters), { NULL } };

static const struct varlink_field kill_fields[] = {
        TARGET_FIELDS(struct verb_parameters),
        { "whom", VARLINK_ENUM, offsetof(struct verb_parameters, whom), .from_string = kill_whom_from_string },
        { "signal", VARLINK_SIGNAL, offsetof(struct verb_parameters, signal), .required = true },
        { NULL },
};

static void verb(struct connection *c, const struct varlink_call *call, enum verb v) {
        struct verb_parameters p = { .whom = KILL_ALL };
        struct machine *m = NULL;
        struct request *q;

        if (!varlink_extract(c, call, v == VERB_KILL ? kill_fields : target_fields, &p) ||
            !varlink_find_target(c, &p.target, &m))
                return;
        q = request_for(c, v, m->name);
        if (!q)
                return;
        q->whom = (enum kill_whom) p.whom;
        q->signal = (int) p.signal.value;
        varlink_submit(c, q, p.target.interactive, NULL);
}

static void method_unregister(struct connection *c, const struct varlink_call *call) {
        verb(c, call, VERB_UNREGISTER);
}

static void method_terminate(struct connection *c, const struct varlink_call *call) {
        verb(c, call, VERB_TERMINATE);
}

static void method_kill(struct connection *c, const struct varlink_call *call) {
        verb(c, call, VERB_KILL);
}

/* ---- the root directory ---- */

static void reply_root(struct connection *c, int fd, struct fault *f) {
        struct json_text j = reply_begin(c);
        int r;

        json_text_unsigned(&j, "fileDescriptor", 0); /* the first of those that come with the reply */
        reply_end(c, &j, false);
        r = reply_attach(c, fd);
        if (r < 0)
                fault_set_errno(f, r, "No descriptor is free for the root directory.");
}

static void finish_open_root(struct request *q) {
        struct connection *c = q->adapter;

        q->adapter = NULL;
        c->request = NULL;
        if (q->fault.kind == FAULT_NONE)
                reply_root(c, q->inspected->fd, &q->fault);
        if (q->fault.kind != FAULT_NONE)
                reply_fault(c, &q->fault);
        request_unref(q);
        connection_finish_call(c);
}

static void method_open_root(struct connection *c, const struct varlink_call *call) {
        struct verb_parameters p = { .whom = KILL_ALL };
        struct machine *m = NULL;
        struct request *q;

        if (!varlink_extract(c, call, target_fields, &p) || !varlink_find_target(c, &p.target, &m))
                return;
        q = request_for(c, VERB_OPEN_ROOT, m->name);
        if (q)
                varlink_submit(c, q, p.target.interactive, finish_open_root);
}

/* ---- user and group numbers ---- */

struct map_parameters {
        struct target target;
        struct varlink_int uid, gid;
};

#define MAP(member) offsetof(struct map_parameters, member)
static const struct varlink_field map_from_fields[] = {
        { "name", VARLINK_STRING, MAP(target.name) },
        { "pid", VARLINK_PROCESS, MAP(target.pid) },
        { "allowInteractiveAuthentication", VARLINK_BOOL, MAP(target.interactive) },
        { "uid", VARLINK_INT, MAP(uid), .min = 0, .max = UINT32_MAX },
        { "gid", VARLINK_INT, MAP(gid), .min = 0, .max = UINT32_MAX },
        { NULL },
};
static const struct varlink_field map_to_fields[] = {
        { "uid", VARLINK_INT, MAP(uid), .min = 0, .max = UINT32_MAX },
        { "gid", VARLINK_INT, MAP(gid), .min = 0, .max = UINT32_MAX },
        { NULL },
};

static void method_map_from(struct connection *c, const struct varlink_call *call) {
        struct map_parameters p = { .uid = { .set = false } };
        struct service *s = c->server->service;
        struct fault f = FAULT_OK;
        struct machine *m = NULL;
        uint32_t uid = 0, gid = 0;
        struct json_text j;

        if (!varlink_extract(c, call, map_from_fields, &p) || !varlink_find_target(c, &p.target, &m))
                return;
        if ((p.uid.set && service_map_from(s, m, false, (uint32_t) p.uid.value, &uid, &f) < 0) ||
            (p.gid.set && service_map_from(s, m, true, (uint32_t) p.gid.value, &gid, &f) < 0)) {
                reply_fault(c, &f);
                return;
        }
        j = reply_begin(c);
        if (p.uid.set)
                json_text_unsigned(&j, "uid", uid);
        if (p.gid.set)
                json_text_unsigned(&j, "gid", gid);
        reply_end(c, &j, false);
}

static void method_map_to(struct connection *c, const struct varlink_call *call) {
        struct map_parameters p = { .uid = { .set = false } };
        const struct machine *by_uid = NULL, *by_gid = NULL;
        struct service *s = c->server->service;
        struct fault f = FAULT_OK;
        uint32_t uid = 0, gid = 0;
        struct json_text j;

        if (!varlink_extract(c, call, map_to_fields, &p))
                return;
        if ((p.uid.set && service_map_to(s, false, (uint32_t) p.uid.value, &by_uid, &uid, &f) < 0) ||
            (p.gid.set && service_map_to(s, true, (uint32_t) p.gid.value, &by_gid, &gid, &f) < 0)) {
                reply_fault(c, &f);
                return;
        }
        if ((!by_uid && !by_gid) || (by_uid && by_gid && by_uid != by_gid)) {
                reply_error(c, INTERFACE "NoSuchMachine", NULL, NULL);
                return;
        }
        j = reply_begin(c);
        if (by_uid)
                json_text_unsigned(&j, "uid", uid);
        if (by_gid)
                json_text_unsigned(&j, "gid", gid);
        json_text_string(&j, "machineName", by_uid ? by_uid->name : by_gid->name);
        reply_end(c, &j, false);
}

const struct varlink_method varlink_machine_methods[] = {
        { INTERFACE "Register", method_register },
        { INTERFACE "Unregister", method_unregister },
        { INTERFACE "List", varlink_list },
        { INTERFACE "Terminate", method_terminate },
        { INTERFACE "Kill", method_kill },
        { INTERFACE "MapFrom", method_map_from },
        { INTERFACE "MapTo", method_map_to },
        { INTERFACE "Open", varlink_open },
        { INTERFACE "BindMount", varlink_bind },
        { INTERFACE "CopyFrom", varlink_copy_from },
        { INTERFACE "CopyTo", varlink_copy_to },
        { INTERFACE "OpenRootDirectory", method_open_root },
        { NULL, NULL },
};
