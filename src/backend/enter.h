/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/enter.h: a muster-enter process for each session in a machine. We start it, and hear of its end. */
#pragma once

#include <systemd/sd-event.h>

#include "core/ports.h"

struct enter; /* opaque */

/* helper: the path of muster-helper, beside which muster-enter is. -ENOMEM. */
int enter_new(sd_event *e, const char *helper, struct enter **ret);
/* Sessions that were started go on without us. */
void enter_free(struct enter *x);
DEFINE_AUTO(struct enter *, enter_free)

struct enter_port enter_port(struct enter *x);
