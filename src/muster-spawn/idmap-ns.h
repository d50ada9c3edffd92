/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/idmap-ns.h: user namespaces that exist for the map of one mount. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "spec/spec.h"

/* The namespace by which a bind mount shows one foreign owner as one of the container: IDMAP_ROOT: the owner of `tree` as the
 * container's root; IDMAP_OWNER: as the owner of `target` in the container's tree `root`. pid: the container's first process,
 * whose ids are mapped already. Returns a descriptor. */
int idmap_namespace_for(pid_t pid, enum spec_idmap kind, int tree, int root, const char *target);

/* The namespace by which `count` owners from on_disk on are shown as those from `shown` on. Returns a descriptor. */
int idmap_namespace(uint32_t on_disk, uint32_t shown, uint32_t count);

/* Reaps what these leave, when there is time. */
void idmap_settle(void);

/* A detached copy of the mount at path, and of those below it, that shows its owners so. Fails where one of the
 * file systems cannot, or is mapped already. */
int idmap_clone(const char *path, uint32_t on_disk, uint32_t shown, uint32_t count);
