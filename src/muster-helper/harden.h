/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-helper/harden.h: gives up all that looking into machines does not need. */
#pragma once

/* Once, before the first question. -errno: the process must not go on. */
int harden(void);
