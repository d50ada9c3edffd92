/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/auth-polkit.h: the auth port: one asynchronous CheckAuthorization call where polkit is on the bus, else root only. */
#pragma once

#include <systemd/sd-bus.h>

#include "core/ports.h"

struct auth_polkit; /* opaque */

/* get_bus gives the connection to ask by, or NULL while there is none (then everybody but root is refused, said once in the
 * log); it may change between calls. -ENOMEM. */
int auth_polkit_new(sd_bus *(*get_bus)(void *userdata), void *userdata, struct auth_polkit **ret);
void auth_polkit_free(struct auth_polkit *a);
DEFINE_AUTO(struct auth_polkit *, auth_polkit_free)
struct auth_port auth_polkit_port(struct auth_polkit *a);
