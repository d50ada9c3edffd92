/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/spawn-clean.h: starting a program that inherits nothing but the descriptors it is to have. */
#pragma once

#include <spawn.h>
#include <stdbool.h>
#include <sys/types.h>

/* Starts the program (a path), called name, with no arguments, no environment, no signal blocked or ignored, and, if session is true, in a
 * session of its own. actions: its descriptors (borrowed); all others of ours are close-on-exec. The child is the caller's to wait for.
 * -errno of posix_spawn(3). */
int spawn_clean(const char *program, const char *name, const posix_spawn_file_actions_t *actions, bool session,
                pid_t *ret);
