/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking into a machine: addresses, os-release and the root directory, by the helper. */
#include <errno.h>

#include "service/internal.h"

static void inspect_fault(struct request *q, int error) {
        struct fault *f = &q->fault;

        if (error == -EHOSTUNREACH)
                fault_set(f, FAULT_NO_PRIVATE_NETWORKING, "Machine '%s' shares the host's network.", q->name);
        else if (error == -ENOENT && q->verb == VERB_OS_RELEASE)
                fault_set(f, FAULT_NO_OS_RELEASE, "Machine '%s' has no os-release file.", q->name);
        else
                fault_set_errno(f, error, "Cannot look into machine '%s'.", q->name);
}

static void on_inspected(void *userdata, const struct inspect_result *result) {
        AUTO(request_unrefp) struct request *q = userdata;

        if (result->error < 0)
                inspect_fault(q, result->error);
        q->inspected = result;
        request_finish(q);
        q->inspected = NULL;
}

static void inspect_authorized(struct request *q, enum auth_result result) {
        struct inspect_port *inspect = &q->service->ports.inspect;
        struct machine *m = service_find(q->service, q->name);

        if (!m)
                fault_set(&q->fault, FAULT_NO_SUCH_MACHINE, "No machine '%s' is known.", q->name);
        if (!m || !request_is_allowed(q, result)) {
                request_finish(q);
                return;
        }
        request_ref(q);
        switch (q->verb) {
        case VERB_ADDRESSES:
                inspect->addresses(inspect->impl, m, on_inspected, q);
                return;
        case VERB_OPEN_ROOT:
                service_event(q->service, EVENT_KIND_OPEN_ROOT, m, &q->caller, NULL);
                inspect->open_root(inspect->impl, m, on_inspected, q);
                return;
        default:
                inspect->os_release(inspect->impl, m, on_inspected, q);
        }
}

void inspect_begin(struct request *q) {
        struct machine *m = NULL;

        if (service_target(q->service, q->name, -1, &m, &q->fault) < 0) {
                request_finish(q);
                return;
        }
        if (m->class == MACHINE_VM) {
                fault_set(&q->fault, q->verb == VERB_OPEN_ROOT ? FAULT_NOT_SUPPORTED : FAULT_NOT_AVAILABLE,
                          "Machine '%s' is a virtual machine: it cannot be looked into.", q->name);
                request_finish(q);
                return;
        }
        q->authorized = inspect_authorized;
        request_authorize(q, m);
}
