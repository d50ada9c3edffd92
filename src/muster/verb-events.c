/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster events: the journal, from the registry, or from its files where none runs. With --follow a registry that goes away is
 * waited for, and read on from the last number. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "client/event-dir.h"
#include "client/varlink-client.h"
#include "codec/event-json.h"
#include "muster/event-text.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/output.h"
#include "muster/verbs.h"

#define FOLLOW_LINES 10 /* of what has happened before, when nothing is said */
#define RETRY_MSEC 200
#define EVENTS_MAX ((size_t) 1 << 20) /* that are kept until all are known: the newest */

/* What was told: an event, or a gap. */
struct entry {
        struct event *event; /* owned */
        struct event_gap gap;
};

struct reader {
        const struct options *o;
        char **names; /* empty: all machines */
        bool has_since;
        uint64_t since;
        struct id128 boot_id;  /* that `since` is of; null: not said */
        bool started;          /* what was there when we began is printed: from now on each event is, at once */
        struct entry *entries; /* the last `limit` until then: a circle once it is full */
        size_t n, start, room;
        size_t limit;
        bool found; /* an event at least */
        struct buf out;
        bool closed; /* nobody reads our output any more */
};

/* ---- what is printed ---- */

static void entry_done(struct entry *e) {
        free(e->event);
        *e = (struct entry){ .event = NULL };
}

static void print(struct reader *r, const struct entry *e) {
        if (e->event)
                event_text(r->o, e->event, &r->out);
        else
                event_text_gap(r->o, &e->gap, &r->out);
}

/* With --follow each event is out at once. */
static int flush_output(struct reader *r) {
        int q;

        if (buf_error(&r->out))
                return fail("Out of memory.");
        q = output_write(&r->out);
        buf_clear(&r->out);
        r->closed = q < 0;
        return q < 0 && q != -EPIPE ? fail("Cannot write the output: %s.", strerror(-q)) : EXIT_SUCCESS;
}

/* Consumes *e. */
static int remember(struct reader *r, struct entry *e) {
        if (r->limit == 0) {
                entry_done(e);
                return 0;
        }
        if (r->n == r->limit) {
                entry_done(&r->entries[r->start]);
                r->entries[r->start] = *e;
                r->start = (r->start + 1) % r->limit;
                return 0;
        }
        if (r->n == r->room) {
                size_t room = r->room ? r->room * 2 : 64;
                struct entry *bigger = reallocarray(r->entries, room, sizeof(*bigger));

                if (!bigger) {
                        entry_done(e);
                        return -ENOMEM;
                }
                r->entries = bigger;
                r->room = room;
        }
        r->entries[r->n++] = *e;
        return 0;
}

static int take(struct reader *r, struct entry *e) {
        r->since = e->event ? e->event->sequence : e->gap.to;
        r->has_since = true;
        r->found |= e->event != NULL;
        if (!r->started)
                return remember(r, e);
        print(r, e);
        entry_done(e);
        return 0;
}

/* All that there was when we began is known. */
static int start(struct reader *r) {
        if (r->started)
                return EXIT_SUCCESS;
        r->started = true;
        event_text_header(r->o, &r->out);
        for (size_t i = 0; i < r->n; i++) {
                struct entry *e = &r->entries[(r->start + i) % r->n];

                print(r, e);
                entry_done(e);
        }
        free(STEAL(r->entries));
        r->n = 0;
        return r->o->follow ? flush_output(r) : output_show(r->o, &r->out);
}

/* ---- from the files ---- */

/* The registry's answers to a number that it does not have. */
static int refuse_future(const struct reader *r) {
        return fail("There is no event %llu yet; --since= names one that has happened.", (unsigned long long) r->since);
}

static int refuse_boot(const struct reader *r) {
        return fail("Event %llu is of another boot of this host, whose events are not kept.",
                    (unsigned long long) r->since);
}

/* Where to go on in the files. */
static int find_place(const struct reader *r, const struct event_ring *ring, uint64_t *ret) {
        const struct event *first = event_ring_first(ring), *newest;
        uint64_t last = event_ring_last(ring);
        struct event_gap gap;

        newest = last > 0 ? event_ring_next(ring, last - 1, &gap) : NULL;
        if (newest && !id128_is_null(&r->boot_id) && !id128_equal(&newest->boot_id, &r->boot_id))
                return refuse_boot(r);
        if (r->has_since && r->since > last)
                return refuse_future(r);
        *ret = r->has_since ? r->since : first ? first->sequence - 1 : 0;
        return EXIT_SUCCESS;
}

static int from_files(struct reader *r) {
        AUTO(event_ring_freep) struct event_ring *ring = NULL;
        const struct event *e;
        struct event_gap gap;
        uint64_t after = 0;
        int q;

        q = event_dir_load(r->o->run, &ring);
        if (q < 0)
                return fail("Cannot read %s/muster/events: %s.", r->o->run, strerror(-q));
        if (find_place(r, ring, &after) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        while ((e = event_ring_next(ring, after, &gap)) || gap.from > 0) {
                struct entry entry = { .gap = gap };

                after = gap.from > 0 ? gap.to : e->sequence;
                if (gap.from == 0 && *r->names && !strv_contains(r->names, e->machine))
                        continue;
                if ((gap.from == 0 && event_copy(e, &entry.event) < 0) || take(r, &entry) < 0)
                        return fail("Out of memory.");
        }
        r->since = after;
        r->has_since = true;
        if (!r->o->quiet && isatty(STDERR_FILENO))
                fprintf(stderr, "No registry is running: this is what %s/muster/events says.\n", r->o->run);
        return start(r);
}

/* ---- from the registry ---- */

static int build(const struct reader *r, struct buf *out) {
        struct json_text j = JSON_TEXT(out);
        char id[ID128_STRING_SIZE];

        json_text_begin_object(&j, NULL);
        if (r->has_since)
                json_text_unsigned(&j, "since", r->since);
        if (r->has_since && !id128_is_null(&r->boot_id))
                json_text_string(&j, "bootId", id128_to_string(&r->boot_id, id));
        if (r->o->follow)
                json_text_bool(&j, "follow", true);
        if (*r->names) {
                json_text_begin_array(&j, "machines");
                for (char **name = r->names; *name; name++)
                        json_text_string(&j, NULL, *name);
                json_text_end_array(&j);
        }
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out);
}

static int refused(const struct reader *r, const struct varlink_answer *answer) {
        if (streq(answer->error, "org.muster.Machine1.SequenceInFuture"))
                return refuse_future(r);
        if (streq(answer->error, "org.muster.Machine1.OtherBoot"))
                return refuse_boot(r);
        return fail_answer(answer, "read events", NULL);
}

enum { READ_FAILED = -2 /* said so */, READ_LOST /* the connection */, READ_END, READ_MORE };

static int take_reply(struct reader *r, struct varlink_client *c, const struct varlink_answer *answer) {
        struct event_reply reply;
        struct entry entry;

        if (answer->error) {
                refused(r, answer);
                return READ_FAILED;
        }
        if (event_reply_decode(answer, &reply) < 0) {
                fail_connection(r->o->run, -EBADMSG);
                return READ_FAILED;
        }
        entry = (struct entry){ reply.event, reply.gap };
        if (!reply.position.set && take(r, &entry) < 0) {
                fail("Out of memory.");
                return READ_FAILED;
        }
        if (reply.position.set) {
                r->since = reply.position.sequence;
                r->has_since = true;
                r->boot_id = reply.position.boot_id;
                varlink_client_wait_for_ever(c);
                if (start(r) != EXIT_SUCCESS)
                        return READ_FAILED;
        }
        if (r->started && r->o->follow && flush_output(r) != EXIT_SUCCESS)
                return READ_FAILED;
        return r->closed || !answer->continues ? READ_END : READ_MORE;
}

static int read_reply(struct reader *r, struct varlink_client *c) {
        struct varlink_answer answer;
        int result, q = varlink_client_next(c, &answer);

        if (q == -ECONNRESET && r->o->follow)
                return READ_LOST;
        if (q < 0) {
                fail_connection(r->o->run, q);
                return READ_FAILED;
        }
        result = take_reply(r, c, &answer);
        varlink_answer_done(&answer);
        return result;
}

/* -EHOSTDOWN: nobody listens. Else READ_FAILED, READ_LOST or READ_END. */
static int from_registry(struct reader *r) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        int q;

        q = varlink_client_connect(r->o->run, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (q == -EHOSTDOWN)
                return q;
        if (q == 0)
                q = build(r, &parameters);
        if (q == 0)
                q = varlink_client_send(c, "org.muster.Machine1.Subscribe", parameters.data, true);
        if (q == -ECONNRESET && r->o->follow)
                return READ_LOST;
        if (q < 0) {
                fail_connection(r->o->run, q);
                return READ_FAILED;
        }
        do
                q = read_reply(r, c);
        while (q == READ_MORE);
        return q;
}

/* ---- the verb ---- */

static int run(struct reader *r) {
        bool said = false;

        for (;;) {
                int q = from_registry(r);

                if (q == READ_FAILED)
                        return EXIT_FAILURE;
                if (q == READ_END)
                        return EXIT_SUCCESS;
                if (q == -EHOSTDOWN && !r->started && from_files(r) != EXIT_SUCCESS)
                        return EXIT_FAILURE;
                if (!r->o->follow || r->closed)
                        return EXIT_SUCCESS;
                if (q == -EHOSTDOWN && !said && !r->o->quiet)
                        fprintf(stderr, "muster: No registry is running; waiting for one.\n");
                said = q == -EHOSTDOWN;
                usleep(RETRY_MSEC * 1000);
        }
}

/* "NUMBER", or "BOOT-ID:NUMBER". */
static int read_since(struct reader *r, const char *text) {
        const char *colon = strchr(text, ':');
        AUTO_FREE char *id = colon ? strndup(text, (size_t) (colon - text)) : NULL;

        r->has_since = true;
        if ((colon && (!id || id128_from_string(id, &r->boot_id) < 0)) ||
            parse_u64(colon ? colon + 1 : text, &r->since) < 0 || r->since > INT64_MAX)
                return fail("--since=%s: must be the number of an event, or BOOT-ID:NUMBER.", text);
        return EXIT_SUCCESS;
}

/* Whoever asks for a machine by name and gets nothing may have mistyped it. Whoever goes on from a number is told no news. */
static int check_names(const struct reader *r) {
        AUTO_BUF struct buf names = BUF_EMPTY;

        if (!*r->names || r->found || r->o->follow || r->o->since)
                return EXIT_SUCCESS;
        for (char **name = r->names; *name; name++)
                buf_printf(&names, "%s\"%s\"", name == r->names ? "" : " or ", *name);
        return buf_error(&names) ? fail("Out of memory.") : fail("There is no event of %s.", names.data);
}

int verb_events(const struct options *o, char **args) {
        struct reader r = { .o = o, .names = args, .limit = EVENTS_MAX };
        int status;

        if (o->has_lines)
                r.limit = o->lines < EVENTS_MAX ? o->lines : EVENTS_MAX;
        else if (o->follow && !o->since)
                r.limit = FOLLOW_LINES;
        for (char **name = args; *name; name++)
                if (!name_is_usable(*name))
                        return EXIT_FAILURE;
        if (o->since && read_since(&r, o->since) != EXIT_SUCCESS)
                return EXIT_USAGE;
        signal(SIGPIPE, SIG_IGN);
        status = run(&r);
        if (status == EXIT_SUCCESS)
                status = check_names(&r);
        for (size_t i = 0; i < r.n; i++)
                entry_done(&r.entries[i]);
        free(r.entries);
        buf_done(&r.out);
        return status;
}
