/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn: runs an OS tree as a machine.
 *
 *   main.c, settings.c  command line, environment and settings file to one spec (spec/)
 *   run.c               the life of a run: lock, ask, plan, make, register, supervise, put away
 *   prepare-tree.c      what has to be there first: template, range of users, private version (ephemeral.c, uid-range.c)
 *   payload-cgroup.c    the control group of it all, limited by scope-policy.c, or by systemd: scope-unit.c
 *   gather-*.c          asks host and tree: facts (plan/facts.h)
 *   plan/               spec and facts to a list of steps; --dry-run ends there
 *   execute.c, trees.c  the runner's steps; clone; what the child reports
 *   child*.c            the child's steps, up to exec(2)
 *   supervise.c         from then to the payload's end
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "muster-spawn/clean-up.h"
#include "muster-spawn/gather.h"
#include "muster-spawn/log-stderr.h"
#include "muster-spawn/run.h"
#include "muster-spawn/scope-unit.h"
#include "muster-spawn/settings.h"
#include "muster-spawn/unprivileged.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec-argv.h"
#include "spec/spec-check.h"
#include "spec/spec-environ.h"
#include "spec/spec.h"
#include "sys/protect-self.h"

static int say(int (*text)(struct buf *out)) {
        AUTO_BUF struct buf out = BUF_EMPTY;

        if (text(&out) < 0 || fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout))
                return EXIT_FAILURE;
        return EXIT_SUCCESS;
}

/* Scripts read the release of the program that they know. */
static int version(struct buf *out) {
        if (streq(program_invocation_short_name, "systemd-nspawn"))
                return buf_append_str(out, "systemd 262 (muster-spawn " MUSTER_VERSION ")\n");
        return buf_append_str(out, "muster-spawn " MUSTER_VERSION "\n");
}

static int values(const char *option) {
        AUTO_BUF struct buf out = BUF_EMPTY;

        if (spec_values(option, &out) < 0 || fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout))
                return EXIT_FAILURE;
        return EXIT_SUCCESS;
}

static int refuse(int error, const struct diag *d) {
        if (!*d->text)
                log_error_errno(error, "cannot read the command line");
        else if (*d->field && !startswith(d->text, "--"))
                log_error("%s: %s", d->field, d->text);
        else
                log_error("%s", d->text);
        return EXIT_FAILURE;
}

/* Which tree it is decides which settings file there is, and only with that the wish is complete. */
static int with_settings(struct spec *spec, struct facts *image, struct diag *diag) {
        int r = gather_image(spec, image, diag);

        return r < 0 ? r : settings_load(spec, image->machine, spec->directory ? spec->directory : image->root, diag);
}

static int complete(struct spec *spec, char *const argv[], struct facts *image, struct diag *diag) {
        int r = spec_from_environ(environ, spec, diag);

        if (r >= 0)
                r = with_settings(spec, image, diag);
        if (r >= 0)
                r = spec_check(spec, diag);
        if (r >= 0)
                r = spec_check_supported(spec, diag);
        for (size_t i = 0; r >= 0 && spec->notices && spec->notices[i]; i++)
                log_notice("%s", spec->notices[i]);
        if (r >= 0 && spec->cleanup)
                return r;
        gather_selinux(spec, image);
        if (r >= 0)
                r = plan_check_labels(spec, image, diag);
        if (r >= 0 && spec->dry_run == DRY_RUN_NO)
                r = unprivileged_enter(spec);
        if (r >= 0)
                r = gather_suffix(spec, image);
        return r < 0 ? r : scope_unit_enter(spec, image->machine, argv);
}

int main(int argc, char *argv[]) {
        AUTO(spec_done) struct spec spec;
        AUTO(facts_done) struct facts image = { 0 };
        struct diag diag = { 0 };
        int r;

        log_stderr_open();
        if (protect_tables() < 0)
                log_debug("cannot make tables of pointers read-only");
        if (protect_self("muster-spawn", argv, environ) < 0)
                log_debug("cannot protect the program from the payload");
        spec_init(&spec);
        r = spec_from_argv(argc, argv, environ, &spec, &diag);
        switch (r) {
        case SPEC_OUTCOME_HELP:
                return say(spec_help);
        case SPEC_OUTCOME_VERSION:
                return say(version);
        case SPEC_OUTCOME_VALUES:
                return values(diag.field);
        case 0:
                r = complete(&spec, argv, &image, &diag);
                if (r < 0)
                        return refuse(r, &diag);
                return spec.cleanup ? clean_up(&spec) : run_machine(&spec, &image);
        default:
                return refuse(r, &diag);
        }
}
