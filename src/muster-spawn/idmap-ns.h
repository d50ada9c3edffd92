/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/idmap-ns.h: user namespaces that exist for the map of one mount. */
#pragma once

#include <sys/types.h>

#include "spec/spec.h"

/* The namespace by which a bind mount shows one foreign owner as one of the container: IDMAP_ROOT: the owner of `tree` as the
 * container's root; IDMAP_OWNER: as the owner of `target` in the container's tree `root`. pid: the container's first process,
 * whose ids are mapped already. Returns a descriptor. */
int idmap_namespace_for(pid_t pid, enum spec_idmap kind, int tree, int root, const char *target);
