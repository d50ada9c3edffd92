/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench/client.h: what the files of the measuring client share. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "leaders.h"

#define SERIES_MAX 3     /* times that one operation reports */
#define CREATED_MAX 1000 /* machines up to here get a real scope; more would only measure the peer's service manager */

struct client {
        const char *leaders; /* directory of the control groups that leaders are born in */
        sd_bus *bus;         /* asks */
        sd_bus *watch;       /* listens, while something needs that */
        int varlink_fd;
        char *answer; /* Varlink: the last bytes received, NUL-terminated */
        size_t answer_size;
        pid_t *pids; /* of the machines that are there all the time: m0, m1... */
        unsigned n_machines;
        pid_t spare; /* for what registers and unregisters */
        unsigned counter;
        const char *users;         /* the name service that knows users of machines */
        uint64_t nsec[SERIES_MAX]; /* times of one operation */
        char *arguments;           /* what follows the numbers on the command line */
        char error[256];           /* why an operation failed */
};

/* One thing that is measured. Each returns 0 or a negative errno, with a sentence in c->error where there is more to say. */
struct operation {
        const char *name;
        unsigned n_series; /* 0: one, and the caller takes the time */
        int (*begin)(struct client *c);
        int (*once)(struct client *c);
        void (*end)(struct client *c);
};

uint64_t now_nsec(void);
int complain(struct client *c, int error, const char *what);

/* operations.c */
extern const struct operation operations[];
extern const size_t n_operations;
/* Makes machines until there are n. */
int grow(struct client *c, unsigned n);
const char *machine_name(unsigned i, char ret[32]);
unsigned pick(struct client *c); /* any machine, in no order */

/* names.c */
int begin_names(struct client *c);
int once_host(struct client *c);
int once_no_host(struct client *c);
int once_user(struct client *c);
int once_no_user(struct client *c);
