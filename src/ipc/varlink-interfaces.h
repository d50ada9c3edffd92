/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/varlink-interfaces.h: the interface descriptions of data/varlink, as the program gives them out (tools/embed.py). */
#pragma once

#include <stddef.h>

struct varlink_interface {
        const char *name, *text;
};

extern const struct varlink_interface varlink_interfaces[]; /* ends with a NULL name */
