/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/scope-unit.h: where systemd is PID 1, a machine lives in a scope unit of its own. */
#pragma once

#include <stdbool.h>

#include "spec/spec.h"

/* systemd owns the host's control groups: sd_booted(3). */
bool under_systemd(void);

/* Has systemd-run(1) put us into NAME.scope, and goes on there: does not return then. It returns 0 when there is nothing to do (no
 * systemd, --keep-unit, or we are there already: then spec->machine is the scope's name); negative errno, logged, when it cannot be
 * done and --slice= or --property= or --register=yes make it more than a wish. name: the machine's. */
int scope_unit_enter(struct spec *spec, const char *name, char *const argv[]);
