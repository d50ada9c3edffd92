/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-hook/hooks.h: what the container managers say to their hooks -> struct container. */
#pragma once

#include "muster-hook/options.h"

/* words: what LXC adds to the command line when lxc.hook.version is 0. Both: 0 done, -1 not done, and why has been said. */
int hook_lxc(const struct options *o, char **words);
int hook_oci(const struct options *o, char **words);
