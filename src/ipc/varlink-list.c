/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* List: one reply, or a stream of them that is produced only as fast as the peer takes it.
 *
 * A stream holds a short queue of machines (slots). Without metadata a slot is ready as soon as it is made; with it, once the
 * helper has answered, up to WINDOW machines being asked about at the same time. A slot is sent when the next one exists or
 * it is known that there is none, for only the last reply goes out without "continues". The place in the registry is the
 * machine that comes next; when that one goes away, streams_skip() moves on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/machine-json.h"
#include "ipc/varlink-error.h"
#include "ipc/varlink-internal.h"

#define WINDOW 64
#define SLOT_SIZE 500 /* bytes that most machines take without metadata */

enum metadata { METADATA_NO, METADATA_YES, METADATA_GRACEFUL, _METADATA_MAX };

static const char *const metadata_table[_METADATA_MAX] = {
        [METADATA_NO] = "no",
        [METADATA_YES] = "yes",
        [METADATA_GRACEFUL] = "graceful",
};

static int metadata_from_string(const char *s) {
        for (int i = 0; i < _METADATA_MAX; i++)
                if (streq(metadata_table[i], s))
                        return i;
        return -EINVAL;
}

/* One machine on its way. Outlives its stream while the helper still owes answers. */
struct slot {
        struct stream *stream; /* NULL: nobody wants it any more */
        struct buf text;       /* members of the reply, the metadata last */
        struct json_text json;
        unsigned waiting;   /* answers to come */
        struct fault fault; /* metadata "yes": the first failure */
        struct slot *next;
};

struct stream {
        struct connection *connection;
        enum metadata metadata;
        const struct machine *cursor; /* the next to be taken; NULL: no more */
        struct slot *head, *tail;
        size_t n_slots;
        struct stream *previous, *next;
};

/* ---- slots ---- */

static void slot_free(struct slot *s) {
        buf_done(&s->text);
        free(s);
}

static void on_answered(struct slot *s) {
        if (--s->waiting > 0)
                return;
        if (!s->stream) {
                slot_free(s);
                return;
        }
        connection_kick(s->stream->connection);
}

static void note_failure(struct slot *s, enum fault_kind kind, int error) {
        if (s->stream && s->stream->metadata == METADATA_YES && s->fault.kind == FAULT_NONE) {
                if (kind == FAULT_ERRNO)
                        fault_set_errno(&s->fault, error, "The machine cannot be looked into.");
                else
                        fault_set(&s->fault, kind, "The machine does not have this.");
        }
}

static void on_addresses(void *userdata, const struct inspect_result *result) {
        struct slot *s = userdata;

        if (result->error == 0)
                machine_json_add_addresses(&s->json, result);
        else
                note_failure(s, result->error == -EHOSTUNREACH ? FAULT_NO_PRIVATE_NETWORKING : FAULT_ERRNO,
                             result->error);
        on_answered(s);
}

static void on_os_release(void *userdata, const struct inspect_result *result) {
        struct slot *s = userdata;

        if (result->error == 0)
                machine_json_add_os_release(&s->json, result);
        else
                note_failure(s, result->error == -ENOENT ? FAULT_NO_OS_RELEASE : FAULT_ERRNO, result->error);
        on_answered(s);
}

static void add_uid_shift(struct slot *s, struct service *service, const struct machine *m) {
        struct fault f = FAULT_OK;
        uint32_t shift;

        if (service_uid_shift(service, m, &shift, &f) >= 0)
                json_text_unsigned(&s->json, "UIDShift", shift);
        else
                note_failure(s, f.kind, f.error);
}

static void acquire(struct slot *s, struct service *service, const struct machine *m) {
        const struct inspect_port *inspect = &service_ports(service)->inspect;

        if (m->class == MACHINE_VM) {
                note_failure(s, FAULT_NOT_AVAILABLE, 0);
                return;
        }
        add_uid_shift(s, service, m);
        s->waiting = 3; /* one of them ours, so that answers that come at once do not finish the slot early */
        inspect->addresses_and_os_release(inspect->impl, m, on_addresses, on_os_release, s);
        s->waiting--;
}

static int add_slot(struct stream *st, const struct machine *m) {
        struct varlink_server *v = st->connection->server;
        struct slot *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->stream = st;
        s->json = (struct json_text) JSON_TEXT(&s->text);
        if (st->tail)
                st->tail->next = s;
        else
                st->head = s;
        st->tail = s;
        st->n_slots++;
        buf_reserve(&s->text, SLOT_SIZE); /* its failure is remembered by the buffer */
        machine_json_add(&s->json, m, &v->boot_id);
        if (st->metadata != METADATA_NO)
                acquire(s, v->service, m);
        return 0;
}

static void pop_slot(struct stream *st) {
        struct slot *s = st->head;

        st->head = s->next;
        if (!st->head)
                st->tail = NULL;
        st->n_slots--;
        s->stream = NULL;
        if (s->waiting == 0)
                slot_free(s);
}

/* ---- the stream ---- */

/* Machines that are being created may vanish without a word, so the cursor never rests on one. */
static const struct machine *settled(struct service *service, const struct machine *m) {
        while (m && m->state == MACHINE_OPENING)
                m = service_next(service, m);
        return m;
}

static void stream_free(struct stream *st) {
        struct connection *c = st->connection;

        while (st->head)
                pop_slot(st);
        if (st->previous)
                st->previous->next = st->next;
        else
                c->server->streams = st->next;
        if (st->next)
                st->next->previous = st->previous;
        c->stream = NULL;
        free(st);
}

void stream_cancel(struct stream *st) {
        stream_free(st);
}

static void stream_end(struct stream *st, const struct fault *f) {
        struct connection *c = st->connection;

        if (f)
                reply_fault(c, f);
        stream_free(st);
        c->busy = false;
}

static void send_slot(struct stream *st, bool continues) {
        struct connection *c = st->connection;
        struct slot *s = st->head;
        struct json_text j = reply_begin(c);

        if (s->text.size > 0)
                json_text_members(&j, s->text.data, s->text.size);
        if (buf_error(&s->text) < 0)
                c->closing = true;
        reply_end(c, &j, continues);
        pop_slot(st);
}

static int fill_window(struct stream *st) {
        struct service *service = st->connection->server->service;
        size_t window = st->metadata == METADATA_NO ? 2 : WINDOW;

        while (st->cursor && st->n_slots < window) {
                const struct machine *m = st->cursor;

                st->cursor = settled(service, service_next(service, m));
                if (add_slot(st, m) < 0)
                        return -ENOMEM;
        }
        return 0;
}

void stream_continue(struct stream *st) {
        struct connection *c = st->connection;

        for (;;) {
                if (fill_window(st) < 0) {
                        c->closing = true;
                        stream_end(st, NULL);
                        return;
                }
                if (!st->head) {
                        stream_end(st, NULL);
                        return;
                }
                if (st->head->waiting > 0)
                        return;
                if (c->out.size - c->out_sent >= OUTPUT_HIGH) {
                        c->unfinished = true;
                        return;
                }
                if (st->head->fault.kind != FAULT_NONE) {
                        struct fault f = st->head->fault;

                        stream_end(st, &f);
                        return;
                }
                send_slot(st, st->head->next != NULL);
        }
}

void streams_skip(struct varlink_server *v, const struct machine *m) {
        for (struct stream *st = v->streams; st; st = st->next)
                if (st->cursor == m)
                        st->cursor = settled(v->service, service_next(v->service, m));
}

static void stream_start(struct connection *c, const struct machine *first, bool all, enum metadata metadata) {
        struct service *service = c->server->service;
        struct stream *st = calloc(1, sizeof(*st));

        if (!st) {
                c->closing = true;
                return;
        }
        st->connection = c;
        st->metadata = metadata;
        st->next = c->server->streams;
        if (st->next)
                st->next->previous = st;
        c->server->streams = st;
        c->stream = st;
        c->busy = true;
        if (all)
                st->cursor = settled(service, service_first(service, true));
        else if (add_slot(st, first) < 0)
                c->closing = true;
        stream_continue(st);
}

/* ---- the call ---- */

struct list_parameters {
        struct target target;
        int metadata;
};

static const struct varlink_field list_fields[] = {
        TARGET_FIELDS(struct list_parameters),
        { "acquireMetadata", VARLINK_ENUM, offsetof(struct list_parameters, metadata),
          .from_string = metadata_from_string },
        { NULL },
};

static void on_authorized(struct request *q) {
        struct connection *c = q->adapter;
        enum metadata metadata = (enum metadata) q->adapter_number;
        const struct machine *m = q->name ? service_find(c->server->service, q->name) : NULL;
        bool all = !q->name;

        c->request = NULL;
        q->adapter = NULL;
        c->busy = false;
        if (q->fault.kind != FAULT_NONE)
                reply_fault(c, &q->fault);
        else if (!all && !m)
                reply_error(c, "io.systemd.Machine.NoSuchMachine", NULL, NULL);
        else
                stream_start(c, m, all, metadata);
        request_unref(q);
        connection_kick(c);
}

void varlink_list(struct connection *c, const struct varlink_call *call) {
        struct list_parameters p = { .metadata = METADATA_NO };
        struct machine *m = NULL;
        struct request *q = NULL;
        bool all;

        if (!varlink_extract(c, call, list_fields, &p))
                return;
        all = !p.target.name && !p.target.pid.set;
        if (!all && !varlink_find_target(c, &p.target, &m))
                return;
        if (all && !c->more) {
                reply_error(c, "org.varlink.service.ExpectedMore", NULL, NULL);
                return;
        }
        if (p.metadata == METADATA_NO) {
                stream_start(c, m, all, METADATA_NO);
                return;
        }
        if (request_new(c->server->service, VERB_METADATA, &q) < 0) {
                c->closing = true;
                return;
        }
        q->adapter_number = p.metadata;
        if (m && !(q->name = strdup(m->name))) {
                request_unref(q);
                c->closing = true;
                return;
        }
        varlink_submit(c, q, p.target.interactive, on_authorized);
}
