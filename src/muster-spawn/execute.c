/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner's side of a start: its own steps, the clone, and what the child reports. */
#include "muster-spawn/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "muster-spawn/channel.h"
#include "muster-spawn/idmap-ns.h"
#include "muster-spawn/payload-cgroup.h"
#include "sys/bare-call.h"
#include "sys/clone-beside.h"
#include "sys/fileio.h"
#include "sys/process-life.h"
#include "sys/remove-tree.h"

#define CHILD_GUARD 4096
#define CHILD_STACK (16 * 4096) /* some buffers of PATH_MAX, one below the other */

/* The stack first: what is below it cannot be written to. x is the state as it was at the clone, for ours changes. */
struct child_memory {
        char guard[CHILD_GUARD], stack[CHILD_STACK];
        struct execution x;
};

/* SigIgn: of /proc/self/status. All of them, when that cannot be read: to set what is set already does no harm. */
static uint64_t ignored_signals(void) {
        char text[4096];
        const char *line;

        if (read_text_at(AT_FDCWD, "/proc/self/status", text, sizeof(text)) < 0)
                return UINT64_MAX;
        line = strstr(text, "\nSigIgn:");
        return line ? strtoull(line + strlen("\nSigIgn:"), NULL, 16) : UINT64_MAX;
}

static char **copy_pointers(char *const *strings) {
        size_t size = (strv_length(strings) + 1) * sizeof(*strings);
        char **copy = malloc(size);

        return copy ? memcpy(copy, strings, size) : NULL;
}

int execution_init(struct execution *x, const struct plan *plan) {
        x->plan = plan;
        x->ignored = ignored_signals();
        x->channel[0] = x->channel[1] = x->network = x->notify = x->fifo = x->terminal = x->program = x->pidfd = -EBADF;
        x->trees = reallocarray(NULL, (size_t) plan->n_trees, sizeof(*x->trees));
        x->argv = copy_pointers(plan->payload.argv);
        if (!x->trees || !x->argv)
                return -ENOMEM;
        for (int i = 0; i < plan->n_trees; i++)
                x->trees[i] = -EBADF;
        if (plan->stub_is_program) { /* from the mount that is read-only */
                x->program = openat(AT_FDCWD, "/proc/self/exe", O_PATH | O_CLOEXEC);
                if (x->program < 0)
                        return -errno;
        }
        return channel_pair(x->channel);
}

static void close_fd(int *fd) {
        if (*fd >= 0)
                close(*fd);
        *fd = -EBADF;
}

/* The mounts are the child's now; ours would keep them busy. Opened one after the other, most of them have numbers in a row. */
static void close_trees(struct execution *x) {
        int n = x->trees ? x->plan->n_trees : 0;

        for (int i = 0, last; i < n; i = last + 1) {
                last = i;
                while (x->trees[i] >= 0 && last + 1 < n && x->trees[last + 1] == x->trees[last] + 1)
                        last++;
                if (x->trees[i] >= 0)
                        BARE(close_range, x->trees[i], x->trees[last], 0);
        }
        for (int i = 0; i < n; i++)
                x->trees[i] = -EBADF;
        for (size_t i = 0; i < x->n_devices; i++)
                close_fd(&x->devices[i].tree);
        x->n_devices = 0;
}

void execution_done(struct execution *x) {
        close_trees(x);
        free(x->trees);
        free(x->argv);
        close_fd(&x->channel[0]);
        close_fd(&x->channel[1]);
        close_fd(&x->network);
        close_fd(&x->notify);
        close_fd(&x->fifo);
        close_fd(&x->terminal);
        close_fd(&x->program);
        close_fd(&x->pidfd);
        for (size_t i = strv_length(x->throw_away); i-- > 0;)
                remove_tree(x->throw_away[i]);
        for (size_t i = 0; i < x->n_throw_away_locks; i++)
                close_fd(&x->throw_away_locks[i]);
        free(x->throw_away_locks);
        for (size_t i = strv_length(x->made); i-- > 0;)
                rmdir(x->made[i]);
        strv_free(x->throw_away);
        strv_free(x->made);
        *x = (struct execution){ 0 };
}

/* One sentence: what was to be done, to what, because of what. */
static int tell(const struct execution *x, uint32_t index, int error, enum log_level level) {
        const struct step *s = index < x->plan->n_steps ? &x->plan->steps[index] : NULL;
        const char *source = s && s->kind != STEP_WRITE ? s->source : NULL; /* what is written is not for a line */

        if (!s)
                log_full(level, error, NULL, "cannot enter the control group of the payload");
        else if (s->kind == STEP_EXEC && x->plan->payload.login_shell)
                log_full(level, error, NULL, "cannot start a shell: none of /bin/bash and /bin/sh");
        else if (s->kind == STEP_EXEC && x->plan->payload.argv0_is_path)
                log_full(level, error, NULL,
                         "cannot start an init (--boot): none of /usr/lib/systemd/systemd, /lib/systemd/systemd, "
                         "/sbin/init");
        else if (s->kind == STEP_EXEC)
                log_full(level, error, NULL, "cannot start %s", x->plan->payload.argv[0]);
        else if (s->kind == STEP_STUB_INIT)
                log_full(level, error, NULL, "cannot start a process beside the small init (--as-pid2)");
        else
                log_full(level, error, NULL, "%s: cannot %s%s%s%s%s", s->why, step_kind_to_string(s->kind),
                         source ? " " : "", strempty(source), s->target ? " " : "", strempty(s->target));
        return error;
}

static int phase(struct execution *x, enum phase wanted) {
        for (uint32_t i = 0; i < x->plan->n_steps; i++) {
                const struct step *s = &x->plan->steps[i];
                int r;

                if (s->phase != wanted)
                        continue;
                r = tree_step(x, s);
                if (r < 0 && !(s->flags & STEP_MAY_FAIL))
                        return tell(x, i, r, LOG_LEVEL_ERR);
                if (r < 0)
                        tell(x, i, r, LOG_LEVEL_DEBUG);
        }
        return 0;
}

int execute_host(struct execution *x) {
        return phase(x, PHASE_HOST);
}

/* The same for every child: there is one at a time, and the next comes when the payload has ended. */
static struct child_memory *child_memory(void) {
        static struct child_memory *memory;
        struct child_memory *m;

        if (memory)
                return memory;
        m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_POPULATE, -1,
                 0);
        if (m == MAP_FAILED || mprotect(m->guard, sizeof(m->guard), PROT_NONE) < 0)
                return NULL;
        return memory = m;
}

static void run_child(void *userdata) {
        child_run(userdata);
}

static pid_t clone_here(const struct execution *x, struct clone_args *args) {
        struct child_memory *m = child_memory();
        pid_t pid;

        if (!m)
                return -errno;
        m->x = *x;
        if (x->plan->shares_memory)
                return clone_beside(args, m->stack, sizeof(m->stack), run_child, &m->x);
        pid = (pid_t) BARE(clone3, args, sizeof(*args));
        if (pid == 0)
                child_run(&m->x);
        return pid;
}

/* From another network namespace; ours again before we return. */
static pid_t clone_in(int network, const struct execution *x, struct clone_args *args) {
        AUTO_CLOSE int own = openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        pid_t pid;

        if (own < 0 || setns(network, CLONE_NEWNET) < 0)
                return -errno;
        pid = clone_here(x, args);
        if (setns(own, CLONE_NEWNET) < 0)
                log_warning_errno(-errno, "cannot go back to the network namespace that we came from");
        return pid;
}

/* The stub init is a program before the payload is one, which is in our memory, or in a copy of it, until then. */
static void call_it_starting(struct execution *x) {
        if (!x->plan->stub_is_program)
                return;
        BARE(prctl, PR_GET_NAME, x->name);
        BARE(prctl, PR_SET_NAME, PROCESS_STARTING);
}

int execute_clone(struct execution *x) {
        struct clone_args args = {
                .flags = x->plan->clone_flags | CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &x->pidfd,
                .exit_signal = SIGCHLD,
        };
        pid_t pid;

        if (x->cgroup && x->cgroup->birth >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) x->cgroup->birth;
        }
        call_it_starting(x);
        pid = x->network < 0 ? clone_here(x, &args) : clone_in(x->network, x, &args);
        if (pid < 0)
                return log_error_errno(pid, "cannot start a process in new namespaces");
        x->pid = pid;
        close_fd(&x->channel[1]);
        return 0;
}

int execute_ids(struct execution *x) {
        int r;

        if (!(x->plan->clone_flags & PLAN_CLONE_NEWUSER))
                return 0;
        r = phase(x, PHASE_IDS);
        return r < 0 ? r : channel_send(x->channel[0], CHANNEL_IDS_MAPPED, 0, 0, -EBADF);
}

int execute_await_place(struct execution *x) {
        struct channel_message m;
        int fd, r;

        if (!payload_cgroup_is_joined(x->cgroup))
                return 0;
        r = channel_receive(x->channel[0], &m, &fd);
        if (r == -ECONNRESET) /* it is dead, which those who follow it see */
                return 0;
        if (r >= 0 && fd >= 0)
                close(fd);
        if (r >= 0 && m.kind == CHANNEL_ERROR)
                return tell(x, m.step, m.error < 0 ? m.error : -EPROTO, LOG_LEVEL_ERR);
        if (r >= 0 && m.kind != CHANNEL_JOINED)
                r = -EPROTO;
        return r < 0 ? log_error_errno(r, "cannot follow the start of the payload") : 0;
}

/* Until the channel closes, which is when the payload runs, or something failed. */
static int follow_child(struct execution *x) {
        for (;;) {
                struct channel_message m;
                int fd, r = channel_receive(x->channel[0], &m, &fd);

                if (r == -ECONNRESET)
                        return 0;
                if (r < 0)
                        return log_error_errno(r, "cannot follow the start of the payload");
                switch (m.kind) {
                case CHANNEL_JOINED:
                        break;
                case CHANNEL_TERMINAL:
                        x->terminal = fd;
                        break;
                case CHANNEL_NOTE:
                        tell(x, m.step, m.error, LOG_LEVEL_DEBUG);
                        break;
                case CHANNEL_ERROR:
                        return tell(x, m.step, m.error < 0 ? m.error : -EPROTO, LOG_LEVEL_ERR);
                default:
                        if (fd >= 0)
                                close(fd);
                        return log_error_errno(-EPROTO, "cannot follow the start of the payload");
                }
        }
}

int execute_go(struct execution *x) {
        int r = channel_send(x->channel[0], CHANNEL_GO, 0, 0, -EBADF);

        if (r < 0 && r != -EPIPE && r != -ECONNRESET) /* it failed already, and has said why */
                return log_error_errno(r, "cannot let the payload start");
        r = follow_child(x);
        if (r >= 0 && *x->name) /* else it may still be there */
                BARE(prctl, PR_SET_NAME, x->name);
        close_trees(x);
        idmap_settle();
        return r;
}
