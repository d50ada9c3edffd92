/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/execute.h: carries out a plan. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/plan.h"

/* A device that could not be made in /dev and is bound from the host instead. */
struct device_bind {
        int tree;
        const char *target; /* "dev/null", borrowed from the plan */
};

struct payload_cgroup;

/* The state of one start, and what has to be taken away at the end. Zeroed, then execution_init(). */
struct execution {
        const struct plan *plan;
        int *trees; /* plan->n_trees descriptors, -EBADF where nothing was made */
        struct device_bind devices[8];
        size_t n_devices;
        int channel[2]; /* runner's end, child's end */
        int network;    /* a network namespace that the child is born into; or -EBADF */
        int notify;     /* the notify socket */
        int fifo;       /* STEP_KEEP_OPEN */
        int terminal;   /* master of the payload's terminal */
        int program;    /* the runner's own, which the stub init becomes; or -EBADF */
        char name[16];  /* the runner's, which is another one meanwhile; prctl(2), PR_GET_NAME */
        pid_t pid;
        int pidfd;
        sigset_t mask;    /* of the payload */
        uint64_t ignored; /* signals that the runner ignores, bit n - 1 for signal n: the payload does not */
        const struct payload_cgroup *cgroup; /* borrowed, may be NULL */
        char **argv; /* plan->payload.argv once more: the child puts there what the program is called by */
        int n_passed_fds;
        char **throw_away; /* directories below /var/tmp that are removed at the end, with all that is in them */
        int *throw_away_locks;
        size_t n_throw_away_locks;
        char **made; /* empty directories on the host that are removed at the end */
};

int execution_init(struct execution *x, const struct plan *plan);
void execution_done(struct execution *x);

/* PHASE_HOST. Logs what went wrong. */
int execute_host(struct execution *x);
/* The child; on return it waits for its ids or does its steps. */
int execute_clone(struct execution *x);
/* PHASE_IDS. */
int execute_ids(struct execution *x);
/* Waits until the child is in its control groups, which those of v1 are something to wait for. */
int execute_await_place(struct execution *x);
/* Lets the child go on into the payload, and waits until that runs. Logs what failed instead. */
int execute_go(struct execution *x);

/* trees.c: one step of PHASE_HOST or PHASE_IDS. Negative errno, not logged. */
typedef int tree_step_fn(struct execution *x, const struct step *s);
extern tree_step_fn *const tree_steps[_STEP_MAX];
int tree_step(struct execution *x, const struct step *s);
/* child.c: never returns. */
_Noreturn void child_run(struct execution *x);
