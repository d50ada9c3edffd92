/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.systemd.Machine.BindMount, CopyTo and CopyFrom, whose answer comes when it is done; and org.muster.Machine1.Transfer, where the
 * client hears of it on the way, and may be the other side itself. */
#include <errno.h>
#include <string.h>

#include "ipc/varlink-internal.h"

struct transfer_parameters {
        struct target target;
        const char *source, *destination;
        int kind;
        bool read_only, make, replace, archive, progress;
};

#define TRANSFER(member) offsetof(struct transfer_parameters, member)
static const struct varlink_field bind_fields[] = {
        TARGET_FIELDS(struct transfer_parameters),
        { "source", VARLINK_STRING, TRANSFER(source), .required = true },
        { "destination", VARLINK_STRING, TRANSFER(destination) },
        { "readOnly", VARLINK_BOOL, TRANSFER(read_only) },
        { "mkdir", VARLINK_BOOL, TRANSFER(make) },
        { NULL },
};
static const struct varlink_field copy_fields[] = {
        TARGET_FIELDS(struct transfer_parameters),
        { "source", VARLINK_STRING, TRANSFER(source), .required = true },
        { "destination", VARLINK_STRING, TRANSFER(destination) },
        { "replace", VARLINK_BOOL, TRANSFER(replace) },
        { NULL },
};
static const struct varlink_field transfer_fields[] = {
        { "name", VARLINK_STRING, TRANSFER(target.name), .required = true },
        { "kind", VARLINK_ENUM, TRANSFER(kind), .required = true, .from_string = transfer_kind_from_string },
        { "source", VARLINK_STRING, TRANSFER(source) },
        { "destination", VARLINK_STRING, TRANSFER(destination) },
        { "readOnly", VARLINK_BOOL, TRANSFER(read_only) },
        { "mkdir", VARLINK_BOOL, TRANSFER(make) },
        { "replace", VARLINK_BOOL, TRANSFER(replace) },
        { "archive", VARLINK_BOOL, TRANSFER(archive) },
        { "progress", VARLINK_BOOL, TRANSFER(progress) },
        { "allowInteractiveAuthentication", VARLINK_BOOL, TRANSFER(target.interactive) },
        { NULL },
};

static int request_for(struct connection *c, const struct transfer_parameters *p, const char *name,
                       struct request **ret) {
        static const enum verb verbs[_TRANSFER_KIND_MAX] = {
                [TRANSFER_COPY_TO] = VERB_COPY_TO, [TRANSFER_COPY_FROM] = VERB_COPY_FROM, [TRANSFER_BIND] = VERB_BIND
        };
        AUTO(request_unrefp) struct request *q = NULL;
        int r;

        r = request_new(c->server->service, verbs[p->kind], &q);
        if (r >= 0)
                r = transfer_new((enum transfer_kind) p->kind, &q->transfer);
        if (r < 0)
                return r;
        q->transfer->read_only = p->read_only;
        q->transfer->make = p->make;
        q->transfer->replace = p->replace;
        q->transfer->archive = p->archive;
        q->transfer->progress = p->progress;
        q->name = strdup(name);
        if (!q->name || str_replace(&q->transfer->source, p->source) < 0 ||
            str_replace(&q->transfer->destination, p->destination) < 0)
                return -ENOMEM;
        *ret = STEAL(q);
        return 0;
}

static void transfer(struct connection *c, const struct varlink_call *call, enum transfer_kind kind) {
        struct transfer_parameters p = { .kind = (int) kind };
        struct request *q = NULL;
        struct machine *m = NULL;

        if (!varlink_extract(c, call, kind == TRANSFER_BIND ? bind_fields : copy_fields, &p) ||
            !varlink_find_target(c, &p.target, &m))
                return;
        if (request_for(c, &p, m->name, &q) < 0)
                c->closing = true;
        else
                varlink_submit(c, q, p.target.interactive, NULL);
}

void varlink_bind(struct connection *c, const struct varlink_call *call) {
        transfer(c, call, TRANSFER_BIND);
}

void varlink_copy_to(struct connection *c, const struct varlink_call *call) {
        transfer(c, call, TRANSFER_COPY_TO);
}

void varlink_copy_from(struct connection *c, const struct varlink_call *call) {
        transfer(c, call, TRANSFER_COPY_FROM);
}

/* A socket to report to; and with an archive what that is read from or written to. */
static bool take_descriptors(struct connection *c, struct transfer *t) {
        size_t wanted = t->archive ? _TRANSFER_FD_MAX : TRANSFER_FD_STATUS + 1, n;
        int fds[VARLINK_FDS_MAX];

        n = connection_take_fds(c, fds);
        for (size_t i = 0; i < n; i++)
                if (i < _TRANSFER_FD_MAX)
                        t->fds[i] = fds[i];
                else
                        close(fds[i]);
        return n == wanted;
}

void varlink_transfer(struct connection *c, const struct varlink_call *call) {
        struct transfer_parameters p = { .kind = -1 };
        struct request *q = NULL;
        struct fault f = FAULT_OK;

        if (!varlink_extract(c, call, transfer_fields, &p))
                return;
        if (request_for(c, &p, p.target.name, &q) < 0) {
                c->closing = true;
                return;
        }
        if (!take_descriptors(c, q->transfer)) {
                fault_set_argument(&f, NULL, "One descriptor must come with the call, with an archive two.");
                reply_with_sentence(c, &f, NULL);
                request_unref(q);
                return;
        }
        varlink_submit(c, q, p.target.interactive, finish_with_sentence);
}
