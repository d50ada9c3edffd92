/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a run: lock the tree, ask, plan, make, register, supervise, put away. What was taken is given back in reverse
 * order, however far it came. A guest that reboots gets the same again, without the tree being let go in between. */
#include "muster-spawn/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/signame.h"
#include "base/str.h"
#include "client/console-logs.h"
#include "muster-spawn/console-log.h"
#include "muster-spawn/console-look.h"
#include "muster-spawn/execute.h"
#include "muster-spawn/gather.h"
#include "muster-spawn/lock.h"
#include "muster-spawn/payload-cgroup.h"
#include "muster-spawn/prepare-tree.h"
#include "muster-spawn/register.h"
#include "muster-spawn/scope-policy.h"
#include "muster-spawn/scope-unit.h"
#include "muster-spawn/supervise.h"
#include "plan/facts.h"
#include "plan/plan-print.h"
#include "plan/plan.h"

#define CONSOLE_LOG_SIZE (1U << 20)
#define CONSOLE_LOG_FILES 2
#define SIGNAL_HALT (SIGNAL_RT_MIN + 3) /* what systemd takes for "halt" */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct run {
        const struct spec *spec;
        const struct facts *image;
        struct facts facts;
        struct image_lock lock;
        struct prepared_tree *tree; /* outlives a reboot */
        struct payload_cgroup cgroup;
        struct payload_cgroup_wish wish;
        struct scope_policy policy;
        char *unit; /* what wish calls it */
        sigset_t payload_mask;
        bool registered;
};

static int told(int error, const struct diag *d) {
        if (!*d->text)
                return log_error_errno(error, "cannot start");
        if (*d->field && !startswith(d->text, "--"))
                log_error("%s: %s", d->field, d->text);
        else
                log_error("%s", d->text);
        return error;
}

static void warn(const char *text, void *userdata) {
        log_warning("%s", text);
}

static enum console_mode console_of(const struct run *r) {
        bool terminal = r->facts.stdio_is_terminal;

        switch (r->spec->console) {
        case CONSOLE_UNSET:
                return terminal ? CONSOLE_INTERACTIVE : CONSOLE_READ_ONLY;
        case CONSOLE_AUTOPIPE:
                return terminal ? CONSOLE_INTERACTIVE : CONSOLE_PIPE;
        default:
                return r->spec->console;
        }
}

static int take_lock(struct run *r) {
        bool exclusive = !r->spec->read_only && !r->spec->ephemeral && r->spec->volatile_mode == VOLATILE_NO;
        int q;

        if (r->spec->no_lock || streq(r->facts.root, "/"))
                return 0;
        q = image_lock(r->facts.root, exclusive, &r->lock);
        if (q == -EBUSY)
                return log_error_errno(0, "%s is busy: another machine runs from it", r->facts.root), q;
        return q < 0 ? log_error_errno(q, "cannot lock %s", r->facts.root) : 0;
}

static bool wants_cgroup(const struct spec *s) {
        return s->dry_run == DRY_RUN_NO;
}

/* What is wanted of the control group, before there is one: a service manager reads that itself. */
static int check_cgroup(struct run *r) {
        struct diag diag = { 0 };
        int q = payload_cgroup_probe(&r->cgroup);

        if (q >= 0 && !under_systemd())
                q = scope_policy_make(r->spec, &r->cgroup, &r->policy, &diag);
        return q < 0 ? told(q, &diag) : 0;
}

static int make_cgroup(struct run *r) {
        const struct spec *s = r->spec;
        struct diag diag = { 0 };
        int q;

        /* The reboot of a guest comes here again: what was made before has been removed. */
        if (!wants_cgroup(s))
                return 0;
        if (asprintf(&r->unit, "%s.scope", r->facts.machine) < 0) {
                r->unit = NULL;
                return -ENOMEM;
        }
        r->wish = (struct payload_cgroup_wish){
                .place = under_systemd() ? PLACE_UNIT
                         : s->keep_unit  ? PLACE_BELOW
                                         : PLACE_SCOPE,
                .slice = r->policy.slice ? r->policy.slice : "machine.slice",
                .unit = r->unit,
                .limited = scope_policy_controllers(&r->policy),
                .owner = s->users_mode == USERS_NO ? 0 : r->facts.uid_base,
                .unprivileged = s->unprivileged,
                .controllers = s->start_mode == START_BOOT,
        };
        q = payload_cgroup_make(&r->cgroup, &r->wish);
        if (q == -EBUSY)
                return log_error("there is a control group %s with processes in it: is the machine running already?",
                                 r->unit),
                       q;
        if (q >= 0) {
                q = scope_policy_apply(&r->policy, &r->cgroup, &diag);
                if (q < 0)
                        return told(q, &diag);
                q = payload_cgroup_open(&r->cgroup, &r->wish);
        }
        return q < 0 ? log_error_errno(q, "cannot make the control group %s", r->unit) : 0;
}

/* What a run needs before its plan. */
static int prepare(struct run *r) {
        struct diag diag = { 0 };
        int q;

        q = gather_image_check(r->spec, r->image, &diag);
        if (q >= 0)
                q = str_replace(&r->facts.root, r->image->root);
        if (q >= 0)
                q = str_replace(&r->facts.machine, r->image->machine);
        if (q >= 0)
                q = prepare_template(r->spec, &r->facts, &diag);
        if (q < 0)
                return told(q, &diag);
        q = check_cgroup(r);
        if (q < 0)
                return q;
        if (wants_cgroup(r->spec)) {
                q = take_lock(r);
                if (q < 0)
                        return q;
        }
        q = prepare_tree(r->spec, &r->facts, r->tree, &diag);
        if (q < 0)
                return told(q, &diag);
        if (r->tree->ephemeral.root) /* the copy has a lock of its own */
                image_unlock(&r->lock);
        q = make_cgroup(r);
        if (q < 0)
                return q;
        q = gather_host(r->spec, &r->cgroup, &r->facts, &diag);
        if (q >= 0)
                q = gather_tree(r->spec, &r->facts, &diag);
        return q < 0 ? told(q, &diag) : 0;
}

static int print(const struct spec *spec, const struct plan *plan) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        int q = spec->dry_run == DRY_RUN_JSON ? plan_print_json(plan, &out) : plan_print_text(plan, &out);

        if (q < 0)
                return log_error_errno(q, "cannot print the plan");
        return fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) ? -EIO : 0;
}

static int do_register(struct run *r, const struct execution *x) {
        AUTO_FREE char *error = NULL;
        char id[ID128_STRING_SIZE];
        struct registration m = {
                .name = r->facts.machine,
                .id = id128_to_string(&r->facts.uuid, id),
                .service = r->spec->container_service ? r->spec->container_service : "systemd-nspawn",
                .root = r->facts.root,
                .leader = x->pidfd,
        };
        int q;

        if (r->spec->register_mode == REGISTER_NO)
                return 0;
        q = register_machine(&m, &error);
        if (q == -ESRCH) /* it failed already, and execute_go() will say why */
                return 0;
        r->registered = q >= 0;
        if (q >= 0)
                return 0;
        if (r->spec->register_mode == REGISTER_YES) {
                if (q == -EHOSTDOWN)
                        log_error("--register=yes: no registry listens on /run/systemd/machine/io.systemd.Machine; "
                                  "start musterd, or use --register=auto");
                else if (q == -EEXIST)
                        log_error("--register=yes: a machine called %s is registered already", r->facts.machine);
                else
                        log_error_errno(error ? 0 : q, "--register=yes: the registry refused%s%s", error ? ": " : "",
                                        strempty(error));
                return q;
        }
        log_full(q == -EHOSTDOWN ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, error ? 0 : q, NULL, "%s runs unregistered%s%s",
                 r->facts.machine, error ? ": the registry answered " : "", strempty(error));
        return 0;
}

static int start(struct run *r, struct execution *x) {
        struct diag diag = { 0 };
        int q;

        umask(0);
        q = execute_host(x);
        if (q >= 0)
                q = execute_clone(x);
        umask(0022);
        if (q >= 0)
                q = execute_ids(x);
        if (q >= 0) {
                q = scope_policy_complete(&r->policy, &r->cgroup, &diag);
                if (q < 0)
                        return told(q, &diag);
        }
        if (q >= 0)
                q = execute_await_place(x); /* where the machine's unit is read from */
        if (q >= 0)
                q = do_register(r, x);
        return q < 0 ? q : execute_go(x);
}

/* While the payload is not reaped, so that nobody else of the same name is taken for it. */
static void unregister(struct run *r, int leader) {
        if (r->registered)
                (void) unregister_machine(r->facts.machine, leader);
        r->registered = false;
}

static void end(struct run *r, struct execution *x) {
        siginfo_t info;

        unregister(r, x->pidfd);
        if (x->pid > 0) { /* by its descriptor: it may have been reaped when waiting for it failed */
                (void) syscall(SYS_pidfd_send_signal, x->pidfd, SIGKILL, NULL, 0U);
                (void) waitid((idtype_t) P_PIDFD, (id_t) x->pidfd, &info, WEXITED | __WALL);
        }
}

static int kill_signal(const struct spec *s) {
        if (s->kill_signal > 0)
                return s->kill_signal;
        return s->start_mode == START_BOOT ? SIGNAL_HALT : 0; /* also when an empty value took back what was said */
}

/* NULL: there shall be none, or it cannot be, which is said and no reason not to go on. */
static struct console_log *make_log(const struct run *r, const struct execution *x) {
        const struct spec *s = r->spec;
        AUTO_FREE char *directory = NULL;
        struct console_log *log = NULL;
        struct console_log_wish wish = {
                .where = s->console_log_set ? s->console_log : 1U << CONSOLE_LOG_FILE,
                .size_max = s->console_log_size ? s->console_log_size : CONSOLE_LOG_SIZE,
                .files = s->console_log_files ? s->console_log_files : CONSOLE_LOG_FILES,
                .machine = r->facts.machine,
                .root = r->facts.root,
                .leader = x->pid,
        };
        int q;

        if (console_of(r) == CONSOLE_PIPE || wish.where == 0)
                return NULL;
        q = console_logs_directory(s->unprivileged, &directory);
        if (q == -EINVAL)
                log_warning("the console is not logged: " CONSOLE_LOGS_ENVIRONMENT " must be an absolute path");
        if (q < 0)
                return NULL;
        wish.directory = directory;
        q = console_log_new(&wish, &log);
        if (q < 0)
                log_warning_errno(q, "the console is not logged");
        return log;
}

/* What the loop calls back for. */
struct payload {
        struct run *run;
        struct plan *plan;
        int pidfd;
};

/* Not while the payload starts: it was in our memory until then, and may have been on another processor, which has to be told of each
 * page that is given back. */
static void payload_settled(void *payload) {
        plan_done(((struct payload *) payload)->plan);
}

static void payload_ended(void *payload) {
        struct payload *p = payload;

        unregister(p->run, p->pidfd);
}

static int supervise_it(struct run *r, struct execution *x, struct plan *plan, enum payload_end *ret, int *ret_status) {
        AUTO(console_log_freep) struct console_log *log = make_log(r, x);
        struct payload payload = { .run = r, .plan = plan, .pidfd = x->pidfd };
        struct supervised s = {
                .machine = r->facts.machine,
                .pid = x->pid,
                .pidfd = x->pidfd,
                .console = console_of(r),
                .terminal = x->terminal,
                .notify = x->notify,
                .kill_signal = kill_signal(r->spec),
                .notify_ready = r->spec->notify_ready,
                .quiet = r->spec->quiet,
                .log = log,
                .settled = payload_settled,
                .ended = r->registered ? payload_ended : NULL,
                .data = &payload,
        };
        struct console_look look;
        int q;

        if (s.console == CONSOLE_INTERACTIVE) {
                gather_machine_id(&r->facts);
                console_look_make(&look, r->spec, &r->facts);
                s.look = &look;
        }
        q = supervise(&s, ret, ret_status);
        if (q < 0)
                return log_error_errno(q, "cannot watch the payload");
        x->pid = 0; /* reaped */
        payload_end_report(&s, *ret, *ret_status);
        return 0;
}

/* Once through: 0, and how the payload ended; negative: it never ran. The plan may be gone then. */
static int run_once(struct run *r, struct plan *plan, enum payload_end *ret, int *ret_status) {
        struct execution x = { 0 };
        int q = execution_init(&x, plan);

        if (q >= 0) {
                x.mask = r->payload_mask;
                x.cgroup = &r->cgroup;
                x.n_passed_fds = r->facts.n_passed_fds;
                q = start(r, &x);
        } else
                log_error_errno(q, "cannot start");
        uid_range_settled(&r->tree->range);
        if (q >= 0) {
                payload_cgroup_settle(&r->cgroup, &r->wish);
                q = supervise_it(r, &x, plan, ret, ret_status);
        }
        end(r, &x);
        payload_cgroup_remove(&r->cgroup);
        execution_done(&x);
        return q;
}

static int plan_and_run(struct run *r, enum payload_end *ret, int *ret_status) {
        struct plan plan = { 0 };
        struct diag diag = { 0 };
        int q;

        q = prepare(r);
        if (q >= 0) {
                q = plan_build(r->spec, &r->facts, warn, NULL, &plan, &diag);
                if (q < 0)
                        told(q, &diag);
        }
        if (q >= 0 && r->spec->dry_run != DRY_RUN_NO)
                q = print(r->spec, &plan);
        else if (q >= 0)
                q = run_once(r, &plan, ret, ret_status);
        plan_done(&plan);
        return q;
}

static void run_done(struct run *r) {
        payload_cgroup_remove(&r->cgroup);
        payload_cgroup_done(&r->cgroup);
        scope_policy_done(&r->policy);
        image_unlock(&r->lock);
        facts_done(&r->facts);
        free(r->unit);
}

/* -U: a kernel without user namespaces is no reason not to start. */
static struct spec without_users(const struct spec *spec) {
        struct spec s = *spec; /* borrows all it points to */

        if (s.users_optional && access("/proc/self/ns/user", F_OK) < 0) {
                s.users_mode = USERS_NO;
                s.ownership = OWNERSHIP_UNSET;
        }
        return s;
}

int run_machine(const struct spec *wanted, const struct facts *image) {
        const struct spec own = without_users(wanted), *spec = &own;
        struct prepared_tree tree = PREPARED_TREE_EMPTY;
        enum payload_end how = PAYLOAD_EXITED;
        int status = 0, q;
        sigset_t mask;

        q = supervise_signals(&mask);
        if (q < 0)
                return log_error_errno(q, "cannot block signals"), EXIT_FAILURE;
        do {
                struct run r = { .spec = spec,
                                 .image = image,
                                 .tree = &tree,
                                 .lock = IMAGE_LOCK_EMPTY,
                                 .cgroup.birth = -EBADF,
                                 .payload_mask = mask };

                q = plan_and_run(&r, &how, &status);
                run_done(&r);
                if (how == PAYLOAD_REBOOT && supervise_stop_waits()) {
                        how = PAYLOAD_POWER_OFF;
                        log_full(spec->quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE, 0, NULL,
                                 "It is not started again: told to end");
                }
        } while (q >= 0 && how == PAYLOAD_REBOOT && !spec->keep_unit);
        prepared_tree_done(&tree);
        if (q < 0)
                return EXIT_FAILURE;
        status = spec->dry_run == DRY_RUN_NO ? payload_exit_status(how, status) : 0;
        if (spec->dry_run == DRY_RUN_NO)
                supervise_say_goodbye(status);
        return status;
}
