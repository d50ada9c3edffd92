/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* musterd/host.h: the record of the host itself, ".host". */
#pragma once

#include "core/machine.h"

/* -ENOMEM. What the host does not tell stays unset. */
int host_record(struct machine **ret);
