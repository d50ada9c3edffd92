/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log of a console, for those who may not read the files. It is there longer than the machine, so only the name counts. */
#include <errno.h>

#include "core/name.h"
#include "service/internal.h"

static void authorized(struct request *q, enum auth_result result) {
        const struct console_log_port *logs = &q->service->ports.console_logs;
        int r;

        if (request_is_allowed(q, result)) {
                r = logs->send(logs->impl, q->name, q->socket);
                if (r == -ENOTSOCK)
                        fault_set_argument(&q->fault, NULL, "A SOCK_SEQPACKET socket must come with the call.");
                else if (r < 0)
                        fault_set_errno(&q->fault, r, "Cannot hand out the log of '%s'.", q->name);
        }
        request_finish(q);
}

void console_log_begin(struct request *q) {
        if (!machine_name_is_valid(q->name)) {
                fault_set_argument(&q->fault, "name", "That is no name of a machine.");
                request_finish(q);
                return;
        }
        q->authorized = authorized;
        request_authorize(q, NULL);
}
