/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/child.h: what the files of the child share. They make bare system calls only: no allocation, no log, no name look-up,
 * no errno; tools/check-child.py looks at their symbols. */
#pragma once

#include "muster-spawn/execute.h"

/* Carries out one step; negative errno. */
typedef int child_step_fn(struct execution *x, const struct step *s);

/* Each file has a row for the kinds that are its own. */
extern child_step_fn *const child_mount_steps[_STEP_MAX];
extern child_step_fn *const child_file_steps[_STEP_MAX];
extern child_step_fn *const child_setup_steps[_STEP_MAX];
extern child_step_fn *const child_final_steps[_STEP_MAX];

/* Carries out the child's steps from that one on. */
_Noreturn void child_walk(struct execution *x, uint32_t first);
/* Who carries out steps of that kind; NULL: nobody in the child. */
child_step_fn *child_step_of(enum step_kind kind);

/* Makes the directories above path (mode 0755), as far as there are none. */
int child_make_parents(const char *path);
