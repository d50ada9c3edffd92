/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/register-bus.h: the registry over D-Bus, where it is a systemd-machined that speaks no Varlink (before
 * 257). */
#pragma once

#include <sys/types.h>

struct registration;

/* As register_machine() and unregister_machine(). leader: instead of m->leader. */
int register_by_bus(const struct registration *m, pid_t leader, char **error);
int unregister_by_bus(const char *name);
