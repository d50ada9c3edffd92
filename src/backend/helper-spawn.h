/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/helper-spawn.h: starting one muster-helper. */
#pragma once

#include <sys/types.h>

/* Starts the program at path with socket as its descriptor 3, no environment, and no signal blocked or ignored. The child is the caller's
 * to wait for. -errno of posix_spawn(3). */
int helper_spawn(const char *path, int socket, pid_t *ret);
