/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/child.h: what the files of the child share. They make system calls only: no allocation, no log, no name look-up;
 * tools/check-child.py looks at their symbols. */
#pragma once

#include "muster-spawn/execute.h"

/* One step; negative errno. */
int child_mount_step(struct execution *x, const struct step *s);
int child_file_step(struct execution *x, const struct step *s);
int child_setup_step(struct execution *x, const struct step *s);
int child_final_step(struct execution *x, const struct step *s);

/* Makes the directories above path (mode 0755), as far as there are none. path is changed and put back. */
int child_make_parents(const char *path);
