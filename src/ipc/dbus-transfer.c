/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BindMount, CopyTo, CopyFrom for clients of the bus: the answer comes when it is done. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

static int read_paths(sd_bus_message *m, struct transfer *t) {
        const char *source, *destination;
        int r = sd_bus_message_read(m, "ss", &source, &destination);

        if (r >= 0)
                r = str_replace(&t->source, source);
        return r < 0 ? r : str_replace(&t->destination, destination);
}

static int read_bind(sd_bus_message *m, struct transfer *t) {
        int read_only, make, r = sd_bus_message_read(m, "bb", &read_only, &make);

        if (r < 0)
                return r;
        t->read_only = read_only;
        t->make = make;
        return 0;
}

static int read_flags(sd_bus_message *m, struct transfer *t, sd_bus_error *error) {
        uint64_t flags;
        int r = sd_bus_message_read_basic(m, 't', &flags);

        if (r < 0)
                return r;
        if (flags & ~(uint64_t) TRANSFER_COPY_REPLACE)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "There is only the flag %u, to replace what exists.", TRANSFER_COPY_REPLACE);
        t->replace = flags & TRANSFER_COPY_REPLACE;
        return 0;
}

int dbus_transfer(struct dbus *d, sd_bus_message *m, enum verb verb, const char *name, bool flags,
                  sd_bus_error *error) {
        enum transfer_kind kind = verb == VERB_BIND      ? TRANSFER_BIND
                                  : verb == VERB_COPY_TO ? TRANSFER_COPY_TO
                                                         : TRANSFER_COPY_FROM;
        AUTO(request_unrefp) struct request *q = NULL;
        int r;

        r = request_new(d->service, verb, &q);
        if (r >= 0)
                r = transfer_new(kind, &q->transfer);
        if (r >= 0)
                r = read_paths(m, q->transfer);
        if (r >= 0 && kind == TRANSFER_BIND)
                r = read_bind(m, q->transfer);
        if (r >= 0 && flags)
                r = read_flags(m, q->transfer, error);
        if (r < 0)
                return r;
        q->name = strdup(name);
        if (!q->name)
                return -ENOMEM;
        return dbus_submit(d, m, STEAL(q), NULL);
}
