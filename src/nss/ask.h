/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/ask.h: one question to the registry, over Varlink, from inside of any program: its threads, its forks, its signals. */
#pragma once

#include <stdint.h>

#include "nss/answer.h"

#define ASK_MACHINE_SOCKET "/run/systemd/machine/io.systemd.Machine"
#define ASK_RESOLVE_SOCKET "/run/systemd/resolve.hook/io.systemd.Machine"

/* How long a look-up may take in all. The registry answers in a fraction of a millisecond; one that does not is stopped or
 * broken, and programs that look up names rarely expect to wait for longer than for a name server's first answer. */
#define ASK_TIMEOUT_MSEC 2000

int64_t ask_now_msec(void); /* CLOCK_MONOTONIC */

/* question: JSON text. deadline: as ask_now_msec(). What the registry says, errors too, is in *ret. -ENOENT: nothing listens.
 * -EDEADLK: we are the registry. -ETIMEDOUT; -EBADMSG, -EMSGSIZE, -ECONNRESET: no proper answer; and what socket(2) and
 * connect(2) say. Raises no SIGPIPE, leaves no descriptor behind. */
int ask(const char *path, const char *question, int64_t deadline, struct answer *ret);

/* Text, put together in place. What does not fit makes it empty, which no registry understands. */
struct text {
        char data[1024];
        unsigned size;
};

void text_put(struct text *t, const char *s);
void text_put_number(struct text *t, uint32_t n);
