/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec-merge.h: a command line and a settings file become one spec. */
#pragma once

#include <stdbool.h>

#include "spec/spec.h"

/* Moves into s each group of settings that `file` has set, unless s has set it: then the file's is inert as a whole, lists are
 * never joined. file_wins (--settings=override): also then. `file` holds what was not used, and is still to be given to
 * spec_done(). */
void spec_merge(struct spec *s, struct spec *file, bool file_wins);
