/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/run.h: one run of a machine, from a checked spec to its end; again and again while the guest reboots. */
#pragma once

#include "plan/facts.h"
#include "spec/spec.h"

/* image: the tree and the machine's name, of gather_image() and gather_suffix(). The exit status of the program. */
int run_machine(const struct spec *spec, const struct facts *image);
