/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registering a machine: check, authorise, place, record, announce, answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "core/name.h"
#include "service/internal.h"

#define SERVICE_TEXT_MAX 256
#define SSH_TEXT_MAX 4096
#define IFINDICES_MAX 1024

static void register_authorized(struct request *q, enum auth_result result);

/* ---- 1: is the wish well formed? ---- */

static int check_ifindices(const struct machine *m, struct fault *f) {
        if (m->n_ifindices > IFINDICES_MAX)
                return fault_set_argument(f, "ifIndices", "At most %d network interfaces can be given.", IFINDICES_MAX);
        for (size_t i = 0; i < m->n_ifindices; i++)
                if (m->ifindices[i] <= 0)
                        return fault_set_argument(f, "ifIndices", "A network interface index must be above 0, not %d.",
                                                  m->ifindices[i]);
        return 0;
}

static int check_text(const char *s, size_t max, const char *field, struct fault *f) {
        if (s && !text_is_valid(s, max))
                return fault_set_argument(f, field, "%s must be text without control characters, at most %zu bytes.",
                                          field, max);
        return 0;
}

/* We open none of these. */
static int check_path(const char *s, const char *field, struct fault *f) {
        if (s && !path_is_absolute(s))
                return fault_set_argument(f, field, "%s must be an absolute path.", field);
        return 0;
}

static int check_arguments(const struct machine *m, struct fault *f) {
        if (!machine_name_is_valid(m->name)) {
                AUTO_FREE char *shown = str_escape(m->name, MACHINE_NAME_MAX);

                return fault_set_argument(f, "name",
                                          "'%s' is no machine name: 1 to 64 letters, digits, '-' and single dots.",
                                          strempty(shown));
        }
        if (m->class == MACHINE_HOST)
                return fault_set_argument(f, "class", "The class must be 'container' or 'vm'.");
        if (m->class >= _MACHINE_CLASS_MAX) /* not said: so do clients of the original learn it */
                return fault_set(f, FAULT_NOT_SUPPORTED, "The class must be said: 'container' or 'vm'.");
        if (m->leader.pid == 1)
                return fault_set_argument(f, "leader", "PID 1 cannot be the leader of a machine.");
        if (check_path(m->root_directory, "rootDirectory", f) < 0 || check_ifindices(m, f) < 0)
                return -1;
        if (m->vsock_cid != VSOCK_CID_UNSET && m->vsock_cid <= 2)
                return fault_set_argument(f, "vSockCid", "The vsock CID must be above 2.");
        if (check_text(m->service, SERVICE_TEXT_MAX, "service", f) < 0 ||
            check_text(m->ssh_address, SSH_TEXT_MAX, "sshAddress", f) < 0 ||
            check_path(m->ssh_private_key_path, "sshPrivateKeyPath", f) < 0)
                return -1;
        if (m->control_address && !path_is_absolute_and_valid(m->control_address))
                return fault_set_argument(f, "controlAddress", "controlAddress must be an absolute, normalized path.");
        return 0;
}

/* ---- 2: which processes? ---- */

static int open_leader(struct request *q, struct fault *f) {
        const struct process_port *process = &q->service->ports.process;
        struct registration *reg = q->registration;
        struct machine *m = reg->machine;
        pid_t wanted = m->leader.pid;
        bool is_caller = wanted == 0 && reg->leader_fd < 0;
        int r;

        if (is_caller)
                wanted = q->caller.process.pid;
        r = process->open(process->impl, wanted, is_caller ? q->caller.process.fd : reg->leader_fd, &m->leader);
        if (r >= 0 && is_caller && !pidref_same(&m->leader, &q->caller.process))
                r = -ESRCH; /* the number was taken by another process meanwhile */
        if (r == -EINVAL)
                return fault_set_argument(f, "leader",
                                          "The leader's PID and process descriptor do not belong together.");
        if (r < 0) {
                fault_set(f, FAULT_NO_SUCH_PROCESS, "There is no process %d to be the leader.", (int) wanted);
                f->field = "leader";
                return -1;
        }
        if (m->leader.pid == 1)
                return fault_set_argument(f, "leader", "PID 1 cannot be the leader of a machine.");
        if (reg->leader_id && m->leader.id && reg->leader_id != m->leader.id)
                return fault_set_argument(f, "leader", "Process %d is not the one whose identity was given.",
                                          (int) m->leader.pid);
        return 0;
}

/* Whoever registers another process watches over it: that is its supervisor (registry.md 5.3). */
static int note_supervisor(struct request *q, struct fault *f) {
        struct machine *m = q->registration->machine;

        if (q->caller.process.pid == m->leader.pid || q->caller.process.pid <= 0)
                return 0;
        if (q->caller.process.pid == 1)
                return fault_set_argument(f, "supervisor", "PID 1 cannot be the supervisor of a machine.");
        m->supervisor = q->caller.process;
        m->supervisor.fd = -EBADF; /* re-opened and compared when it is needed */
        return 0;
}

/* A name is free again the moment its leader is dead, also when nobody has told us yet. */
static int claim_name(struct request *q, struct fault *f) {
        struct service *s = q->service;
        struct machine *m = q->registration->machine, *old;

        old = registry_find(s->registry, m->name);
        if (old && old->state != MACHINE_OPENING && !s->ports.process.is_alive(s->ports.process.impl, &old->leader)) {
                service_apply(s, old, EVENT_LEADER_EXIT, NULL);
                old = NULL;
        }
        if (old)
                return fault_set(f, FAULT_MACHINE_EXISTS, "Machine '%s' exists already.", m->name);
        return 0;
}

void register_begin(struct request *q) {
        struct registration *reg = q->registration;

        if (check_arguments(reg->machine, &q->fault) < 0 || open_leader(q, &q->fault) < 0 ||
            note_supervisor(q, &q->fault) < 0 || claim_name(q, &q->fault) < 0) {
                request_finish(q);
                return;
        }
        if (!q->name && !(q->name = strdup(reg->machine->name))) {
                fault_set_errno(&q->fault, -ENOMEM, "Out of memory.");
                request_finish(q);
                return;
        }
        q->authorized = register_authorized;
        request_authorize(q, NULL);
}

/* ---- 3: allowed; may this caller have this very process? ---- */

static int check_ownership(struct request *q, enum auth_result result, struct fault *f) {
        const struct process_port *process = &q->service->ports.process;
        struct machine *m = q->registration->machine;
        int r;

        if (q->caller.uid == 0 || result == AUTH_ALLOWED_ADMIN)
                return 0;
        r = process->belongs_to(process->impl, &m->leader, q->caller.uid);
        if (r > 0) {
                /* The caller's number was told when he connected: it may be another's by now. */
                if (pidref_is_set(&m->supervisor) &&
                    process->belongs_to(process->impl, &q->caller.process, q->caller.uid) <= 0)
                        m->supervisor = PIDREF_EMPTY;
                return 0;
        }
        return fault_set(f, FAULT_ACCESS_DENIED,
                         "Access denied: process %d belongs to somebody else; only root may register it.",
                         (int) m->leader.pid);
}

/* Leave to make a machine is no leave to tell the service manager what to do with other units. */
static int check_properties(const struct request *q, enum auth_result result, struct fault *f) {
        const char *name = q->registration->scope.for_root;

        if (q->caller.uid == 0 || result == AUTH_ALLOWED_ADMIN || !*name)
                return 0;
        return fault_set(f, FAULT_ACCESS_DENIED,
                         "Access denied: only root may give the scope of a machine the property %s.", name);
}

/* ---- 4: where it lives ---- */

static int place(struct request *q, struct fault *f) {
        const struct supervisor_port *supervisor = &q->service->ports.supervisor;
        struct registration *reg = q->registration;
        struct machine *m = reg->machine;
        struct placement p = { NULL, NULL, NULL };
        struct diag d = { .line = 0 };
        int r;

        r = reg->create ? supervisor->plan(supervisor->impl, m->name, &reg->scope, &p, &d)
                        : supervisor->locate(supervisor->impl, m->leader.pid, &p);
        if (r == -EOPNOTSUPP && d.text[0])
                return fault_set(f, FAULT_NOT_SUPPORTED, "%s", d.text);
        if (r == -EINVAL && d.text[0])
                return fault_set_argument(f, "properties", "%s", d.text);
        if (r < 0)
                return fault_set_errno(f, r, "Cannot find the place of machine '%s'.", m->name);
        /* A cgroup's name may hold what neither a record nor a message can carry: then it is as good as none. */
        if (p.cgroup && (!path_is_absolute_and_valid(p.cgroup) || !text_is_valid(p.cgroup, strlen(p.cgroup))))
                placement_done(&p);
        m->unit = p.unit;
        m->subgroup = p.subgroup;
        m->cgroup = p.cgroup;
        m->scope_created = reg->create && p.cgroup;
        m->kill_signal = reg->create ? reg->scope.kill_signal : 0;
        return 0;
}

static int enter_registry(struct request *q, struct machine **ret, struct fault *f) {
        struct service *s = q->service;
        struct machine *m = q->registration->machine;
        int r;

        m->uid = q->caller.uid;
        m->state = MACHINE_OPENING;
        m->realtime_usec = s->ports.clock.realtime_usec(s->ports.clock.impl);
        m->monotonic_usec = s->ports.clock.monotonic_usec(s->ports.clock.impl);
        r = registry_add(s->registry, &q->registration->machine, ret);
        switch (r) {
        case 0:
                return 0;
        case -EBUSY:
                return fault_set_errno(f, -EEXIST, "Process %d is the leader of a machine already.",
                                       (int) m->leader.pid);
        case -EADDRINUSE:
                return fault_set_errno(f, -EEXIST, "Another machine owns the unit %s.", strempty(m->unit));
        case -EEXIST:
                return fault_set(f, FAULT_MACHINE_EXISTS, "Machine '%s' exists already.", m->name);
        case -EDQUOT:
        case -ENOSPC:
                return fault_set(f, FAULT_LIMIT, "There are too many machines%s.", r == -EDQUOT ? " of this user" : "");
        default:
                return fault_set_errno(f, r, "Cannot register machine '%s'.", m->name);
        }
}

/* Takes back a machine that nobody has heard of yet. */
static void withdraw(struct service *s, struct machine *m) {
        s->ports.process.unwatch(s->ports.process.impl, m);
        s->ports.store.drop(s->ports.store.impl, m);
        idmaps_remove(s->idmaps, m);
        registry_remove(s->registry, m);
}

/* ---- 5: the scope is made (or was not) ---- */

static void finish_opening(struct request *q, struct machine *m) {
        struct service *s = q->service;
        int r = service_apply(s, m, EVENT_PLACED, &q->caller);

        if (r < 0) {
                fault_set_errno(&q->fault, r, "Cannot record machine '%s'.", q->name);
                if (m->scope_created) {
                        s->ports.supervisor.abandon(s->ports.supervisor.impl, m);
                        service_event(s, EVENT_KIND_CREATE_FAILED, m, NULL, NULL);
                }
                withdraw(s, m);
                request_finish(q);
                return;
        }
        q->machine = m;
        request_finish(q);
        q->machine = NULL;
        /* Its death was put off while the scope was being made. */
        if (m->scope_created && !s->ports.process.is_alive(s->ports.process.impl, &m->leader))
                service_apply(s, m, EVENT_LEADER_EXIT, NULL);
}

static void creation_fault(struct request *q, int error) {
        const struct supervisor_port *supervisor = &q->service->ports.supervisor;
        const struct refusal *why = supervisor->refusal ? supervisor->refusal(supervisor->impl) : NULL;
        struct fault *f = &q->fault;

        if (!why) {
                fault_set_errno(f, error, "Cannot make the control group of machine '%s'.", q->name);
                return;
        }
        if (!why->name) {
                fault_set_errno(f, error, "%s", why->text);
                return;
        }
        fault_set(f, FAULT_SCOPE_REFUSED, "%s", why->text);
        f->error = error;
        if (strlen(why->name) < sizeof(f->peer_error))
                strcpy(f->peer_error, why->name);
}

static void on_created(void *userdata, int error) {
        AUTO(request_unrefp) struct request *q = userdata;
        struct service *s = q->service;
        struct machine *m = registry_find(s->registry, q->name);

        /* Nothing removes a machine that is opening, so it is still there. */
        if (!m)
                return;
        if (error == -ESHUTDOWN)
                return;
        if (error < 0) {
                creation_fault(q, error);
                log_error_errno(error, "Cannot make the scope of machine %s: %s", q->name, q->fault.text);
                service_apply(s, m, EVENT_PLACE_FAILED, NULL);
                request_finish(q);
                return;
        }
        finish_opening(q, m);
}

static void create_scope(struct request *q, struct machine *m) {
        struct service *s = q->service;
        int r;

        /* The intention first: a crash between here and the answer is repaired from this record. */
        r = s->ports.store.save(s->ports.store.impl, m);
        if (r < 0) {
                fault_set_errno(&q->fault, r, "Cannot record machine '%s'.", q->name);
                withdraw(s, m);
                request_finish(q);
                return;
        }
        service_event(s, EVENT_KIND_CREATED, m, &q->caller, NULL);
        request_ref(q);
        if (q->registration->scope.not_enforced)
                log_debug("Machine %s: DeviceAllow= and DevicePolicy= are not enforced.", m->name);
        s->ports.supervisor.create(s->ports.supervisor.impl, m, &q->registration->scope, on_created, q);
        if (q->registration->reply_early && !q->finished) {
                q->machine = registry_find(s->registry, q->name);
                request_finish(q);
                q->machine = NULL;
        }
}

static void register_authorized(struct request *q, enum auth_result result) {
        struct service *s = q->service;
        struct machine *m = NULL;
        int r;

        /* The world may have moved while somebody typed a password: the name is claimed again. */
        if (!request_is_allowed(q, result) || claim_name(q, &q->fault) < 0 ||
            check_ownership(q, result, &q->fault) < 0 || check_properties(q, result, &q->fault) < 0 ||
            place(q, &q->fault) < 0 || enter_registry(q, &m, &q->fault) < 0) {
                request_finish(q);
                return;
        }
        r = s->ports.process.watch(s->ports.process.impl, m);
        if (r >= 0)
                r = idmaps_add(s->idmaps, m);
        if (r < 0) {
                fault_set_errno(&q->fault, r, "Cannot watch the leader of machine '%s'.", q->name);
                withdraw(s, m);
                request_finish(q);
                return;
        }
        if (m->scope_created)
                create_scope(q, m);
        else
                finish_opening(q, m);
}
