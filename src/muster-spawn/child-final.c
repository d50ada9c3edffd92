/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last steps of the child: limits, identity, filter, program. After STEP_IDENTITY nothing needs a privilege any more. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "muster-spawn/child.h"
#include "muster-spawn/stub-init.h"
#include "sys/bare-call.h"

#define CAPABILITIES_MAX 63

static int limits(struct execution *x, const struct step *s) {
        for (int i = 0; i < SPEC_RLIMITS; i++) {
                const struct rlimit_pair *p = &x->plan->payload.rlimits[i];
                struct rlimit64 limit = {
                        .rlim_cur = p->soft == SPEC_RLIMIT_INFINITY ? RLIM64_INFINITY : p->soft,
                        .rlim_max = p->hard == SPEC_RLIMIT_INFINITY ? RLIM64_INFINITY : p->hard,
                };
                int r = x->plan->payload.rlimits_changed & (1U << i) ? BARE(prlimit64, 0, i, &limit) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int oom_score(struct execution *x, const struct step *s) {
        int fd = BARE(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), n;

        if (fd < 0)
                return fd;
        n = BARE(write, fd, s->source, strlen(s->source));
        BARE(close, fd);
        return n < 0 ? n : 0;
}

static int cpu_affinity(struct execution *x, const struct step *s) {
        return BARE(sched_setaffinity, 0, s->number[0], s->source);
}

static int execution_domain(struct execution *x, const struct step *s) {
        int r = BARE(personality, s->number[0]);

        return r < 0 ? r : 0;
}

/* Whatever the payload's mounts have put in that place: only the kernel's own file makes a label of what is written. */
static int exec_label(struct execution *x, const struct step *s) {
        int fd = BARE(openat, AT_FDCWD, "/proc/self/attr/exec", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), r;
        struct statfs fs;

        if (fd < 0)
                return fd;
        r = BARE(fstatfs, fd, &fs);
        if (r >= 0)
                r = fs.f_type == PROC_SUPER_MAGIC ? BARE(write, fd, s->source, strlen(s->source)) : -ENOENT;
        BARE(close, fd);
        return r < 0 ? r : 0;
}

static int home(struct execution *x, const struct step *s) {
        int r = child_make_parents(s->target);

        if (r < 0)
                return r;
        r = BARE(mkdirat, AT_FDCWD, s->target, s->node.mode);
        if (r < 0)
                return r == -EEXIST ? 0 : r;
        return BARE(fchownat, AT_FDCWD, s->target, s->node.uid, s->node.gid, AT_SYMLINK_NOFOLLOW);
}

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        for (int i = 0; i < 2; i++)
                data[i] = (struct __user_cap_data_struct){ .effective = (uint32_t) (effective >> (32 * i)),
                                                           .permitted = (uint32_t) (permitted >> (32 * i)),
                                                           .inheritable = (uint32_t) (inheritable >> (32 * i)) };
        return BARE(capset, &header, data);
}

static int drop_bounding(uint64_t keep) {
        int r;

        for (unsigned long cap = 0; cap <= CAPABILITIES_MAX; cap++) {
                if (keep & (UINT64_C(1) << cap))
                        continue;
                r = BARE(prctl, PR_CAPBSET_DROP, cap);
                if (r < 0)
                        return r == -EINVAL ? 0 : r; /* EINVAL: the kernel knows no more */
        }
        return 0;
}

static int raise_ambient(uint64_t ambient) {
        int r = 0;

        for (unsigned long cap = 0; r >= 0 && cap <= CAPABILITIES_MAX; cap++)
                if (ambient & (UINT64_C(1) << cap))
                        r = BARE(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap);
        return r;
}

/* What the kernel says must be what was asked for: a payload never starts with more. */
static int verify_capabilities(const struct capability_sets *wanted) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];
        int r = BARE(capget, &header, data);

        if (r < 0)
                return r;
        for (int i = 0; i < 2; i++)
                if (data[i].effective & ~(uint32_t) (wanted->effective >> (32 * i)) ||
                    data[i].permitted & ~(uint32_t) (wanted->permitted >> (32 * i)) ||
                    data[i].inheritable & ~(uint32_t) (wanted->inheritable >> (32 * i)))
                        return -EPERM;
        return 0;
}

static int identity(struct execution *x, const struct step *s) {
        const struct plan_payload *p = &x->plan->payload;
        const struct capability_sets *c = &p->capabilities;
        int r;

        r = drop_bounding(c->bounding);
        if (r < 0)
                return r;
        if (p->uid != 0 || p->gid != 0 || p->n_groups) {
                r = BARE(prctl, PR_SET_KEEPCAPS, 1);
                if (r >= 0)
                        r = BARE(setgroups, p->n_groups, p->groups);
                if (r >= 0)
                        r = BARE(setresgid, p->gid, p->gid, p->gid);
                if (r >= 0)
                        r = BARE(setresuid, p->uid, p->uid, p->uid);
        } else {
                r = BARE(setgroups, 0, NULL);
                if (r == -EPERM)
                        r = 0;
        }
        if (r >= 0)
                r = set_capabilities(c->effective, c->permitted, c->inheritable);
        if (r >= 0)
                r = raise_ambient(c->ambient);
        return r < 0 ? r : verify_capabilities(c);
}

static int no_new_privileges(struct execution *x, const struct step *s) {
        return BARE(prctl, PR_SET_NO_NEW_PRIVS, 1);
}

static int change_directory(struct execution *x, const struct step *s) {
        return BARE(chdir, s->target);
}

static int filter(struct execution *x, const struct step *s) {
        const struct filter *f = &x->plan->payload.filter;
        struct sock_fprog program = { .len = (unsigned short) f->n_code, .filter = (struct sock_filter *) f->code };

        _Static_assert(sizeof(struct sock_filter) == sizeof(struct filter_instruction), "the same layout");
        return BARE(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static const char *value_of(char *const *environment, const char *assignment) {
        for (; environment && *environment; environment++)
                if (strncmp(*environment, assignment, strlen(assignment)) == 0)
                        return *environment;
        return NULL;
}

static size_t append(char *to, size_t used, size_t size, const char *s) {
        size_t n = s ? strlen(s) + 1 : 0;

        if (n == 0 || used + n > size)
                return used;
        memcpy(to + used, s, n);
        return used + n;
}

/* Where PID 2 goes on. */
struct rest {
        struct execution *x;
        uint32_t step;
};

static void walk_on(void *userdata) {
        const struct rest *rest = userdata;

        child_walk(rest->x, rest->step);
}

static int stub(struct execution *x, const struct step *s) {
        struct rest rest = { .x = x, .step = (uint32_t) (s - x->plan->steps) + 1 };
        char environment[256];
        size_t used = 0;

        used = append(environment, used, sizeof(environment), value_of(x->plan->payload.environment, "container="));
        used = append(environment, used, sizeof(environment),
                      value_of(x->plan->payload.environment, "container_uuid="));
        return stub_init(&(struct stub){ .mask = &x->mask,
                                         .environment = environment,
                                         .size = used,
                                         .program = x->program,
                                         .payload = walk_on,
                                         .data = &rest });
}

/* What the caller ignores (nohup(1), a daemon's SIGPIPE) would be ignored in all that the payload starts, as long as it lives. The
 * C library would refuse to set the two numbers that it keeps for itself. */
static void default_dispositions(uint64_t ignored) {
        static const unsigned long
                by_default[4]; /* a struct sigaction of the kernel's: SIG_DFL, no flags, an empty mask */

        for (int sig = 1; sig < _NSIG; sig++)
                if (ignored & (UINT64_C(1) << (sig - 1)))
                        BARE(rt_sigaction, sig, by_default, NULL, _NSIG / 8);
}

/* Tries the candidates in their order, as execvp(3) does. */
static int execute(struct execution *x, const struct step *s) {
        const struct plan_payload *p = &x->plan->payload;
        int first_error = 0, r;

        default_dispositions(x->ignored);
        r = BARE(rt_sigprocmask, SIG_SETMASK, &x->mask, NULL, _NSIG / 8);
        /* Whatever else is open, ours or left by the caller, closes when the program starts. */
        if (r >= 0)
                r = BARE(close_range, 3 + x->n_passed_fds, ~0U, CLOSE_RANGE_CLOEXEC);
        if (r < 0)
                return r;
        for (size_t i = 0; p->candidates && p->candidates[i]; i++) {
                char login_name[NAME_MAX + 2] = "-";
                const char *slash = strrchr(p->candidates[i], '/');

                if (p->login_shell)
                        x->argv[0] = strncat(login_name, slash ? slash + 1 : p->candidates[i], NAME_MAX);
                else if (p->argv0_is_path)
                        x->argv[0] = p->candidates[i];
                r = BARE(execve, p->candidates[i], x->argv, p->environment);
                if (r != -ENOENT && r != -ENOTDIR && first_error == 0)
                        first_error = r;
                if (r != -ENOENT && r != -ENOTDIR && r != -EACCES)
                        break;
        }
        return first_error ? first_error : -ENOENT;
}

child_step_fn *const child_final_steps[_STEP_MAX] = {
        [STEP_RLIMITS] = limits,
        [STEP_OOM_SCORE] = oom_score,
        [STEP_CPU_AFFINITY] = cpu_affinity,
        [STEP_PERSONALITY] = execution_domain,
        [STEP_EXEC_LABEL] = exec_label,
        [STEP_HOME] = home,
        [STEP_IDENTITY] = identity,
        [STEP_NO_NEW_PRIVILEGES] = no_new_privileges,
        [STEP_CHDIR] = change_directory,
        [STEP_STUB_INIT] = stub,
        [STEP_FILTER] = filter,
        [STEP_EXEC] = execute,
};
