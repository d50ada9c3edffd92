/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/enter-spare.h: a muster-enter that was started ahead of time. To start a program is a good part of what a command in a machine
 * takes, and where there was one there will often be another soon. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/auto.h"
#include "sys/spawn-enter.h"

struct enter_spare; /* opaque */

/* path: of the program, borrowed. -ENOMEM. */
int enter_spare_new(sd_event *e, const char *path, struct enter_spare **ret);
void enter_spare_free(struct enter_spare *x);
DEFINE_AUTO(struct enter_spare *, enter_spare_free)

/* It is a good moment to have one. It waits for some seconds, then it ends. */
void enter_spare_want(struct enter_spare *x);
/* Gives s to it: *ret is the process, which is not reaped here any more. False: there is none. */
bool enter_spare_use(struct enter_spare *x, const struct spawn_enter *s, pid_t *ret);
