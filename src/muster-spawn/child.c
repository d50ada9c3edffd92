/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child: walks its phases of the plan. It came out of clone3(2) in the runner's memory, in which everything that it needs is
 * ready. The runner goes on meanwhile, so it writes to nothing but its stack, and only makes bare system calls (sys/bare-call.h)
 * until it becomes the payload. */
#include "muster-spawn/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/auto.h"
#include "muster-spawn/channel.h"
#include "muster-spawn/payload-cgroup.h"
#include "sys/bare-call.h"

static _Noreturn void fail(struct execution *x, uint32_t step, int error) {
        channel_send(x->channel[1], CHANNEL_ERROR, step, error, -EBADF);
        bare_exit(1);
}

static void await(struct execution *x, enum channel_kind kind, uint32_t step) {
        struct channel_message m;
        int fd, r;

        r = channel_receive(x->channel[1], &m, &fd);
        if (r < 0 || m.kind != kind)
                fail(x, step, r < 0 ? r : -EPROTO); /* the runner is dead, or not in step with us */
}

/* Moves itself into the groups of v1: a single thread that writes "0" to `tasks` need not wait for the kernel's grace period, as
 * everybody who writes a process into cgroup.procs must (kernel/cgroup/cgroup.c, since Linux 5.6). */
static int join_cgroups(const struct execution *x) {
        const struct payload_cgroup *c = x->cgroup;
        int r;

        for (size_t i = 0; c && i < c->n_dirs; i++)
                if (c->dirs[i].tasks >= 0) {
                        r = BARE(write, c->dirs[i].tasks, "0", 1);
                        if (r < 0)
                                return r;
                }
        return payload_cgroup_is_joined(c) ? channel_send(x->channel[1], CHANNEL_JOINED, 0, 0, -EBADF) : 0;
}

/* From here on the payload dies with the runner. The kernel forgets the wish when credentials change, so it comes after that; a
 * runner that died before shows at the channel. */
static void last_meeting(struct execution *x, uint32_t step) {
        struct pollfd runner = { .fd = x->channel[1] }; /* no events asked for: only a hang-up is told */
        struct timespec none = { 0 };
        int r = BARE(prctl, PR_SET_PDEATHSIG, SIGKILL);

        if (r < 0)
                fail(x, step, r);
        BARE(umask, 0022);
        await(x, CHANNEL_GO, step);
        /* The word may have been said by a runner that died before we asked to die with it: its end of the channel tells. */
        if (BARE(ppoll, &runner, 1, &none, NULL, _NSIG / 8) < 0 || runner.revents)
                bare_exit(1);
}

child_step_fn *child_step_of(enum step_kind kind) {
        static child_step_fn *const *const tables[] = { child_mount_steps, child_file_steps, child_setup_steps,
                                                        child_final_steps };

        for (size_t i = 0; i < ELEMENTS(tables); i++)
                if (tables[i][kind])
                        return tables[i][kind];
        return NULL;
}

static int run(struct execution *x, const struct step *s) {
        child_step_fn *step = child_step_of(s->kind);

        return step ? step(x, s) : -EOPNOTSUPP;
}

_Noreturn void child_walk(struct execution *x, uint32_t first) {
        const struct plan *plan = x->plan;

        for (uint32_t i = first; i < plan->n_steps; i++) {
                const struct step *s = &plan->steps[i];
                int r;

                if (s->phase < PHASE_CHILD)
                        continue;
                r = run(x, s);
                if (r < 0 && (s->flags & STEP_MAY_FAIL))
                        channel_send(x->channel[1], CHANNEL_NOTE, i, r, -EBADF);
                else if (r < 0)
                        fail(x, i, r);
                if (s->kind == STEP_BECOME_ROOT) /* which makes the kernel forget it */
                        BARE(prctl, PR_SET_PDEATHSIG, SIGKILL);
                if (s->kind == STEP_CHDIR)
                        last_meeting(x, i);
        }
        bare_exit(1); /* not reached: the last step is exec(2) */
}

_Noreturn void child_run(struct execution *x) {
        const struct plan *plan = x->plan;
        int r;

        /* With the runner's end open here, too, its death would never show. */
        BARE(close, x->channel[0]);
        BARE(prctl, PR_SET_PDEATHSIG, SIGKILL);
        r = join_cgroups(x);
        if (r < 0)
                fail(x, (uint32_t) plan->n_steps, r);
        if (plan->clone_flags & PLAN_CLONE_NEWUSER)
                await(x, CHANNEL_IDS_MAPPED, (uint32_t) plan->n_steps);
        BARE(setsid);
        child_walk(x, 0);
}
