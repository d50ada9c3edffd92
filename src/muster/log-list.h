/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/log-list.h: which console logs there are. Both say what is wrong and return an exit status. */
#pragma once

#include "muster/options.h"

int log_list_show(const struct options *o);
/* The log of a machine that has ended. */
int log_list_remove(const char *machine);
