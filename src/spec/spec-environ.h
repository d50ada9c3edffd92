/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec-environ.h: switches in the environment of muster-spawn. */
#pragma once

#include "base/diag.h"
#include "spec/spec.h"

/* Reads the SYSTEMD_NSPAWN_* variables, each also under the name MUSTER_SPAWN_*, which wins; and SYSTEMD_SECCOMP and
 * SYSTEMD_SUPPRESS_SYNC, where a command line has not said otherwise: so it is called behind spec_from_argv(), on the same spec.
 * -EINVAL with a diag (field: the variable). -ENOMEM. */
int spec_from_environ(char *const *env, struct spec *s, struct diag *diag);
