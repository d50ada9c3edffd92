/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-transfer/bind.h: a file or directory of the host -> a mount of the machine. */
#pragma once

#include "muster-transfer/place.h"
#include "muster-transfer/work.h"

/* Mounts `source` of the host, and what is mounted below it, on `destination` in the machine: both as they are found from the roots,
 * symlinks followed. make: a mount point that is missing is made, with the directories above it. Leaves this process in namespaces
 * of the machine. */
int bind_into(struct work *w, const struct place *p, const char *source, const char *destination, bool read_only,
              bool make);
