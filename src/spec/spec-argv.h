/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec-argv.h: the command line of muster-spawn: one table of options, from which it is read, and --help is printed. */
#pragma once

#include <stddef.h>

#include "base/diag.h"
#include "base/str.h"
#include "spec/spec.h"

enum spec_outcome {
        SPEC_OUTCOME_HELP = 1, /* --help: print spec_help() and leave */
        SPEC_OUTCOME_VERSION,  /* --version */
        SPEC_OUTCOME_VALUES,   /* an option has the value "help": diag->field names it, print spec_values() and leave */
};

/* argv[0] is skipped; options end at the first word that is none, or behind "--"; the words from there are the payload's.
 * env: where --setenv=NAME finds its value, may be NULL.
 * 0: *ret is to be given to spec_done(). An enum spec_outcome, or a negative errno: *ret is untouched.
 * -EINVAL with a diag: field is the option, text one sentence with option and value in it. -ENOMEM. */
int spec_from_argv(int argc, char *const *argv, char *const *env, struct spec *ret, struct diag *diag);

/* The text of --help. -ENOMEM. */
int spec_help(struct buf *out);
/* The legal values of an option ("--timezone"), one a line. -ENOENT: it has no such list. -ENOMEM. */
int spec_values(const char *option, struct buf *out);

/* For those who check documents and completions: the long and short name of every option that is shown in --help, in its order.
 * *ret_long is NULL behind the last one; a short name of 0, or a long one of "", is none. */
void spec_option_name(size_t n, const char **ret_long, char *ret_short);
