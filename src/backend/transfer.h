/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/transfer.h: a muster-transfer process for each copy and each mount in a machine. */
#pragma once

#include <systemd/sd-event.h>

#include "core/ports.h"

struct transfers; /* opaque */

/* helper: the path of muster-helper, beside which muster-transfer is. -ENOMEM. */
int transfers_new(sd_event *e, const char *helper, struct transfers **ret);
/* Those that report to a client go on without us; those that report to us are taken back. */
void transfers_free(struct transfers *x);
DEFINE_AUTO(struct transfers *, transfers_free)

struct transfer_port transfers_port(struct transfers *x);
