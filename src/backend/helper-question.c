/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/helper-question.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

#define IN_FLIGHT_ENOUGH 2
#define JOINED_MAX 1024

struct subject {
        struct {
                uint64_t id, start;
                uint32_t pid, kind;
        } key;
        unsigned n_questions; /* that point here */
        unsigned n_in_flight;
        struct question *parked; /* NULL, or one, and with it those that have joined it; it points here */
        struct question *last;   /* of those; or parked itself */
        size_t n_joined;
        bool oom;
        UT_hash_handle hh;
};

/* ---- queues ---- */

void queue_append(struct queue *q, struct question *question) {
        question->next = NULL;
        if (q->last)
                q->last->next = question;
        else
                q->first = question;
        q->last = question;
        q->n++;
}

struct question *queue_take(struct queue *q) {
        struct question *question = q->first;

        if (!question)
                return NULL;
        q->first = question->next;
        if (!q->first)
                q->last = NULL;
        q->n--;
        return question;
}

void queue_prepend_all(struct queue *q, struct queue *from) {
        if (!from->first)
                return;
        from->last->next = q->first;
        if (!q->last)
                q->last = from->last;
        q->first = from->first;
        q->n += from->n;
        *from = (struct queue){ NULL, NULL, 0 };
}

/* ---- what they are about ---- */

/* NULL: each such question has an answer of its own, or there is no memory. */
static struct subject *subject_of(struct questions *q, const struct helper_question *wire) {
        struct subject *x = NULL, like = { .key = { wire->id, wire->start, (uint32_t) wire->pid, wire->kind } };

        if (wire->kind == HELPER_KILL_TREE || wire->kind == HELPER_OPEN_ROOT)
                return NULL;
        HASH_FIND(hh, q->subjects, &like.key, sizeof(like.key), x);
        if (x)
                return x;
        x = calloc(1, sizeof(*x));
        if (!x)
                return NULL;
        x->key = like.key;
        HASH_ADD(hh, q->subjects, key, sizeof(x->key), x);
        if (x->oom) {
                free(x);
                return NULL;
        }
        return x;
}

bool question_begin(struct questions *q, struct question *question) {
        struct subject *x = subject_of(q, &question->wire);

        if (x && x->parked && x->n_joined >= JOINED_MAX) {
                question_finish(q, question, -ENOBUFS, NULL, -EBADF);
                return false;
        }
        if (x && x->parked) {
                x->last = x->last->joined = question;
                x->n_joined++;
                return false;
        }
        if (!x)
                return true;
        question->subject = x;
        x->n_questions++;
        if (x->n_in_flight < IN_FLIGHT_ENOUGH)
                return true;
        x->parked = x->last = question;
        x->n_joined = 0;
        return false;
}

void question_sent(struct question *question) {
        question->sent = true;
        if (question->subject)
                question->subject->n_in_flight++;
}

/* Whoever is parked has his turn when it comes back. */
void question_not_sent(struct question *question) {
        question->sent = false;
        if (question->subject)
                question->subject->n_in_flight--;
}

static void leave(struct questions *q, struct question *question) {
        struct subject *x = STEAL(question->subject);

        if (!x)
                return;
        x->n_questions--;
        if (question->sent)
                x->n_in_flight--;
        if (x->parked)
                queue_append(&q->waiting, STEAL(x->parked));
        if (x->n_questions > 0)
                return;
        HASH_DEL(q->subjects, x);
        free(x);
}

/* ---- answers ---- */

static void tell(inspect_fn fn, void *userdata, int error, const struct helper_answer *answer, int fd) {
        struct inspect_result result = { .error = error, .fd = fd };

        if (answer && error == 0) {
                result.addresses = answer->addresses;
                result.n_addresses = answer->n_addresses;
                result.os_release = answer->strings;
        }
        fn(userdata, &result);
}

static void tell_one(const struct question *question, int error, const struct helper_answer *answer, int fd) {
        bool halves = question->os_release && answer && answer->error == 0;

        if (answer)
                error = answer->error;
        if (question->done)
                question->done(question->userdata, error);
        else
                tell(question->answer, question->userdata, halves ? answer->addresses_error : error, answer, fd);
        if (question->os_release)
                tell(question->os_release, question->userdata, halves ? answer->os_release_error : error, answer, fd);
}

void question_finish(struct questions *q, struct question *question, int error, const struct helper_answer *answer,
                     int fd) {
        leave(q, question);
        while (question) {
                struct question *next = question->joined;

                tell_one(question, error, answer, fd);
                free(question);
                question = next;
        }
}
