/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/overlay.h: overlay file systems as detached mounts. */
#pragma once

#include "muster-spawn/execute.h"

/* STEP_TREE_OVERLAY. Returns the mount. */
int overlay_make(struct execution *x, const struct step *s);

/* trees.c. O_PATH descriptor of `path` below the directory `base`, which it cannot leave. */
int tree_open_below(const char *base, const char *path);
/* trees.c. A new directory of that pattern (throw-away.h), which goes at the end. */
int tree_make_temporary(struct execution *x, char *pattern);
/* trees.c. A new directory below /var/tmp, with a directory `src` of that owner in it, whose path is *ret; both go at the end. */
int tree_throw_away(struct execution *x, uid_t owner, const char **ret);
