/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/init-request.h: asks a sysvinit inside a machine through its control fifo, where a signal cannot say it. */
#pragma once

#include <stdbool.h>

#include "codec/machine-view.h"

/* 0: the request was handed over. -EOPNOTSUPP: no such fifo, or not one that its init made. -ENXIO: nobody reads it.
 * -ESRCH: the leader is gone. -EACCES, -EPERM: only root may look into the machine. */
int init_request_send(const struct view_process *leader, bool reboot);
