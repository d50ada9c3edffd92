/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/run.h: one run of a machine, from a checked spec to its end; again and again while the guest reboots. */
#pragma once

#include "spec/spec.h"

/* The exit status of the program. */
int run_machine(const struct spec *spec);
