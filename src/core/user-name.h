/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/user-name.h: the names that a container's users and groups have on the host: "vu-NAME-N" and "vg-NAME-N". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/name.h"

#define USER_NAME_MAX 31 /* bytes: what utmp(5) and with it everybody else can hold */

/* -EINVAL: there is none, for the machine's name has a dot, or the whole is too long. */
int user_name_make(bool group, const char *machine, uint32_t inside, char ret[static USER_NAME_MAX + 1]);
/* The inverse, so only what user_name_make() could have made. Whether there is such a machine is not asked. -EINVAL. */
int user_name_parse(bool group, const char *name, char ret_machine[static MACHINE_NAME_MAX + 1], uint32_t *ret_inside);
