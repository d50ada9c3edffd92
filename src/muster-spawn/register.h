/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/register.h: tells the registry of the machine, over Varlink: musterd, or systemd-machined from 257 on;
 * an older one, which only a host with systemd as PID 1 has, over D-Bus. */
#pragma once

#include <stdbool.h>

struct registration {
        const char *name, *id, *service, *root; /* id: 32 hexadecimal digits */
        int leader;                             /* a pidfd */
        bool allocate_unit;                     /* the registry shall have a scope made for the leader */
};

/* 0: registered. -EHOSTDOWN: there is no registry. -ESRCH: the leader is dead. -EEXIST: the name is taken. -EACCES. -EREMOTEIO: it
 * refused, and *error (malloc'ed) says by which error. */
int register_machine(const struct registration *m, char **error);
/* leader: the pidfd, of a process that is not reaped: another machine that has the name by now stays. D-Bus knows the name only. */
int unregister_machine(const char *name, int leader);
