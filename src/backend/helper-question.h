/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/helper-question.h: questions to the pool of helpers that have no answer yet, and who waits for the same one.
 *
 * Nobody keeps the workers busy by asking of one machine, again and again, what takes long: while two questions about the same are on
 * their way, those that come are parked, and all of them get the answer to one that is sent after them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/helper-protocol.h"
#include "core/ports.h"

struct subject; /* opaque: what several questions are about */

struct question {
        struct question *next;
        struct helper_question wire;
        inspect_fn answer; /* or: */
        port_done_fn done;
        inspect_fn os_release; /* HELPER_BOTH: answer has the addresses */
        void *userdata;
        bool retried, sent;
        struct subject *subject; /* NULL: its answer is for nobody else */
        struct question *joined; /* get the same answer */
};

struct queue {
        struct question *first, *last;
        size_t n;
};

struct questions {
        struct queue waiting; /* for a worker */
        struct subject *subjects;
};

void queue_append(struct queue *q, struct question *question);
/* The first, or NULL. */
struct question *queue_take(struct queue *q);
/* Puts all of `from` before what `q` has. */
void queue_prepend_all(struct queue *q, struct queue *from);

/* A new question, of which wire and whom to tell are set. True: it is to be sent, or put among those that wait. False: it is parked, and
 * comes into q->waiting when it is time, or it has failed. */
bool question_begin(struct questions *q, struct question *question);
/* A worker has it now; or has it no more, without an answer. */
void question_sent(struct question *question);
void question_not_sent(struct question *question);
/* Tells whoever waits for it, and frees it. answer NULL: it failed with error. fd is borrowed. */
void question_finish(struct questions *q, struct question *question, int error, const struct helper_answer *answer,
                     int fd);
