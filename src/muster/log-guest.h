/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/log-guest.h: the machine's own journal, by the journalctl of this host: it opens the machine's root through the registry
 * and reads the files as they are, so nothing of the machine is run. */
#pragma once

#include "muster/log-read.h"
#include "muster/options.h"

/* Becomes journalctl; returns an exit status only when that is not possible. */
int log_guest_show(const struct options *o, const struct log_span *span, char *machine);
