/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the finished container to the program: console, limits, who it runs as, what it may call, its arguments and environment. */
#include <stdlib.h>

#include "base/auto.h"
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CAP_SYS_ADMIN 21

static const char *const inits[] = { "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init", NULL };
static const char *const shells[] = { "/bin/bash", "/bin/sh", NULL };

static bool pipes(const struct chapter *c) {
        return c->spec->console == CONSOLE_PIPE ||
               (c->spec->console == CONSOLE_AUTOPIPE && !c->facts->stdio_is_terminal);
}

static bool on_terminal(const struct chapter *c) {
        return c->facts->stdio_is_terminal && !pipes(c);
}

/* Environment: NAME=VALUE, the last one of a name stays, where the first one was. */
static void set(struct chapter *c, const char *assignment) {
        char **env = c->plan->payload.environment;
        size_t name = (size_t) (strchr(assignment, '=') - assignment) + 1;

        for (size_t i = 0; env && env[i]; i++)
                if (strncmp(env[i], assignment, name) == 0) {
                        if (str_replace(&env[i], assignment) < 0)
                                c->plan->error = -ENOMEM;
                        return;
                }
        if (strv_extend(&c->plan->payload.environment, assignment) < 0)
                c->plan->error = -ENOMEM;
}

static void environment(struct chapter *c) {
        const struct facts *f = c->facts;
        const char *user = c->spec->user ? c->spec->user : "root";
        char hex[ID128_STRING_SIZE];

        set(c, "PATH=" DEFAULT_PATH);
        set(c, plan_printf(c->plan, "container=%s",
                           c->spec->container_service ? c->spec->container_service : "systemd-nspawn"));
        set(c,
            plan_printf(c->plan, "TERM=%s", on_terminal(c) && !isempty(f->terminal_type) ? f->terminal_type : "dumb"));
        set(c, plan_printf(c->plan, "HOME=%s", f->user.home ? f->user.home : f->user.uid == 0 ? "/root" : "/"));
        set(c, plan_printf(c->plan, "USER=%s", user));
        set(c, plan_printf(c->plan, "LOGNAME=%s", user));
        id128_to_string(&f->uuid, hex);
        set(c,
            plan_printf(c->plan, "container_uuid=%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20));
        if (f->n_passed_fds > 0) {
                set(c, plan_printf(c->plan, "LISTEN_FDS=%d", f->n_passed_fds));
                set(c, "LISTEN_PID=1");
        }
        set(c, "NOTIFY_SOCKET=/run/host/notify");
        if (c->spec->n_credentials > 0)
                set(c, "CREDENTIALS_DIRECTORY=/run/host/credentials");
        if (c->spec->start_mode != START_BOOT)
                set(c, "LANG=C.UTF-8");
        for (size_t i = 0; f->host_environment && f->host_environment[i]; i++)
                set(c, f->host_environment[i]);
        for (size_t i = 0; c->spec->environment && c->spec->environment[i]; i++)
                set(c, c->spec->environment[i]);
}

/* An argument of the init that is a variable: NAME=VALUE without a dot in the name, '-' read as '_'. */
static bool is_variable(const char *word) {
        const char *equals = strchr(word, '=');

        if (!equals || equals == word || (word[0] >= '0' && word[0] <= '9'))
                return false;
        for (const char *p = word; p < equals; p++)
                if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", *p))
                        return false;
        return true;
}

static void boot_arguments(struct chapter *c) {
        struct plan_payload *p = &c->plan->payload;

        for (size_t i = 0; c->spec->command && c->spec->command[i]; i++) {
                const char *word = c->spec->command[i];

                if (is_variable(word)) {
                        AUTO_FREE char *copy = strdup(word);

                        for (char *q = copy; q && *q != '='; q++)
                                if (*q == '-')
                                        *q = '_';
                        if (copy)
                                set(c, copy);
                        else
                                c->plan->error = -ENOMEM;
                } else if (strv_extend(&p->argv, word) < 0)
                        c->plan->error = -ENOMEM;
        }
}

static void extend(struct chapter *c, char ***v, const char *s) {
        if (strv_extend(v, s) < 0)
                c->plan->error = -ENOMEM;
}

/* All places where a program without '/' may be: PATH as the payload will have it. */
static void search(struct chapter *c, const char *program) {
        struct plan_payload *p = &c->plan->payload;
        const char *path = DEFAULT_PATH;

        if (strchr(program, '/')) {
                extend(c, &p->candidates, program);
                return;
        }
        for (size_t i = 0; p->environment && p->environment[i]; i++)
                if (startswith(p->environment[i], "PATH="))
                        path = p->environment[i] + strlen("PATH=");
        while (path) {
                const char *end = strchrnul(path, ':');

                extend(c, &p->candidates,
                       end == path ? program : plan_printf(c->plan, "%.*s/%s", (int) (end - path), path, program));
                path = *end ? end + 1 : NULL;
        }
}

static void program(struct chapter *c) {
        struct plan_payload *p = &c->plan->payload;

        if (c->spec->start_mode == START_BOOT) {
                p->argv0_is_path = true;
                extend(c, &p->argv, "init");
                boot_arguments(c);
                if (c->facts->init_candidates)
                        for (size_t i = 0; c->facts->init_candidates[i]; i++)
                                extend(c, &p->candidates, c->facts->init_candidates[i]);
                else
                        for (size_t i = 0; inits[i]; i++)
                                extend(c, &p->candidates, inits[i]);
                return;
        }
        if (c->spec->command && c->spec->command[0]) {
                for (size_t i = 0; c->spec->command[i]; i++)
                        extend(c, &p->argv, c->spec->command[i]);
                search(c, c->spec->command[0]);
                return;
        }
        p->login_shell = true;
        extend(c, &p->argv, "-");
        if (c->facts->user.shell)
                extend(c, &p->candidates, c->facts->user.shell);
        for (size_t i = 0; shells[i]; i++)
                extend(c, &p->candidates, shells[i]);
}

static void identity(struct chapter *c) {
        struct plan_payload *p = &c->plan->payload;
        const struct facts_user *u = &c->facts->user;

        p->uid = u->uid;
        p->gid = u->gid;
        if (u->n_groups) {
                p->groups = reallocarray(NULL, u->n_groups, sizeof(*p->groups));
                if (!p->groups) {
                        c->plan->error = -ENOMEM;
                        return;
                }
                memcpy(p->groups, u->groups, u->n_groups * sizeof(*p->groups));
                p->n_groups = u->n_groups;
        }
        if (c->spec->user && u->uid != 0 && u->home) {
                struct step *s = plan_add(c->plan, PHASE_FINAL, STEP_HOME, "--user");

                s->target = plan_string(c->plan, u->home);
                s->node = (struct step_node){ .type = NODE_DIRECTORY, .mode = 0755, .uid = u->uid, .gid = u->gid };
                s->flags = STEP_MAY_FAIL | STEP_CREATE;
        }
}

static int security(struct chapter *c, struct diag *diag) {
        struct plan_payload *p = &c->plan->payload;
        struct capability_facts facts = {
                .own = c->facts->capabilities,
                .user_namespace = c->users,
                .network_private = c->spec->network.private_network,
                .payload_is_root = p->uid == 0,
        };
        struct rlimit_facts limits = c->facts->rlimits;
        uint64_t missing;
        int r;

        limits.may_raise &= !c->users; /* setrlimit(2): only CAP_SYS_RESOURCE in the initial user namespace counts */
        r = capabilities_decide(c->spec, &facts, &p->capabilities, &missing, diag);
        if (r < 0)
                return r;
        if (missing && c->warn)
                c->warn("--capability: not all of these are yours to give; the others are left out", c->userdata);
        rlimits_decide(c->spec->rlimits, &limits, p->rlimits);
        for (int i = 0; i < SPEC_RLIMITS; i++)
                if (p->rlimits[i].soft != c->facts->rlimits.own[i].soft ||
                    p->rlimits[i].hard != c->facts->rlimits.own[i].hard)
                        p->rlimits_changed |= 1U << i;
        if (c->spec->no_seccomp)
                return 0;
        return filter_build(c->spec, p->capabilities.bounding, c->warn, c->userdata, &p->filter, diag);
}

/* Without CAP_SYS_ADMIN only no_new_privs lets a process load a filter: then it comes before the capabilities go. */
static bool filter_last(const struct chapter *c) {
        return c->spec->no_new_privileges || (c->plan->payload.capabilities.effective & (UINT64_C(1) << CAP_SYS_ADMIN));
}

static void final_steps(struct chapter *c) {
        struct plan *plan = c->plan;
        struct step *s;

        plan_add(plan, PHASE_FINAL, STEP_RLIMITS, "--rlimit, and the defaults");
        if (c->spec->oom_score_adjust_set) {
                s = plan_add(plan, PHASE_FINAL, STEP_OOM_SCORE, "--oom-score-adjust");
                s->source = plan_printf(plan, "%d", c->spec->oom_score_adjust);
        }
        if (c->spec->cpu_affinity_bytes) {
                s = plan_add(plan, PHASE_FINAL, STEP_CPU_AFFINITY, "--cpu-affinity");
                s->source = (const char *) c->spec->cpu_affinity;
                s->number[0] = c->spec->cpu_affinity_bytes;
        }
        if (c->spec->personality != PERSONALITY_UNSET) {
                s = plan_add(plan, PHASE_FINAL, STEP_PERSONALITY, "--personality");
                s->number[0] = c->spec->personality == PERSONALITY_SECONDARY ? 8 /* PER_LINUX32 */ : 0;
        }
        if (c->spec->selinux_context) { /* a filter may keep it from being written, and so may another user */
                s = plan_add(plan, PHASE_FINAL, STEP_EXEC_LABEL, "--selinux-context");
                s->source = plan_string(plan, c->spec->selinux_context);
        }
        if (c->spec->no_new_privileges)
                plan_add(plan, PHASE_FINAL, STEP_NO_NEW_PRIVILEGES, "--no-new-privileges");
        if (plan->payload.filter.n_code && !filter_last(c))
                plan_add(plan, PHASE_FINAL, STEP_FILTER, "--system-call-filter, and the default list");
        plan_add(plan, PHASE_FINAL, STEP_IDENTITY,
                 c->spec->user ? "--user, --capability" : "--capability, and the default set");
        s = plan_add(plan, PHASE_FINAL, STEP_CHDIR, c->spec->chdir ? "--chdir" : "default directory");
        s->target = plan->payload.chdir;
        if (plan->payload.filter.n_code && filter_last(c))
                plan_add(plan, PHASE_FINAL, STEP_FILTER, "--system-call-filter, and the default list");
        if (c->spec->start_mode == START_PID2)
                plan_add(plan, PHASE_FINAL, STEP_STUB_INIT, "--as-pid2");
        plan_add(plan, PHASE_FINAL, STEP_EXEC, c->spec->start_mode == START_BOOT ? "--boot" : "the command");
}

/* In a user namespace of its own nobody outside is concerned when everybody in it may send pings without being root: icmp(7),
 * ping_group_range. */
static void own_network(struct chapter *c) {
        struct step *s;

        plan_add(c->plan, PHASE_CHILD, STEP_LOOPBACK, "--private-network");
        if (c->spec->users_mode == USERS_NO)
                return;
        s = plan_add(c->plan, PHASE_CHILD, STEP_SYSCTL, "--private-network with --private-users");
        s->target = "/proc/sys/net/ipv4/ping_group_range";
        s->source = plan_printf(c->plan, "0 %u", c->facts->uid_count - 1);
        s->flags = STEP_MAY_FAIL;
}

int plan_payload(struct chapter *c, struct diag *diag) {
        struct plan_payload *p = &c->plan->payload;
        struct step *s;
        int r;

        if (!c->spec->share_uts) {
                p->hostname = plan_string(c->plan, c->spec->hostname ? c->spec->hostname : c->facts->machine);
                s = plan_add(c->plan, PHASE_CHILD, STEP_HOSTNAME, c->spec->hostname ? "--hostname" : "--machine");
                s->source = p->hostname;
        }
        if (c->spec->network.private_network && !c->spec->network.namespace_path)
                own_network(c);
        plan_add(c->plan, PHASE_CHILD, STEP_SHARED, "container interface: mounts propagate inside");
        if (c->facts->incoming) {
                s = plan_add(c->plan, PHASE_CHILD, STEP_SLAVE, "mount tunnel");
                s->target = "/run/host/incoming";
                s->flags = STEP_MAY_FAIL;
        }
        if (!pipes(c))
                plan_add(c->plan, PHASE_CHILD, STEP_CONSOLE, "--console");
        environment(c);
        program(c);
        p->chdir = c->spec->chdir                              ? c->spec->chdir
                   : p->login_shell && c->facts->user.home     ? c->facts->user.home
                   : p->login_shell && c->facts->user.uid == 0 ? "/root"
                                                               : "/";
        identity(c);
        r = security(c, diag);
        if (r < 0)
                return r;
        final_steps(c);
        return 0;
}
