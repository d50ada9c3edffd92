/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/address.h: addresses of a machine as text. */
#pragma once

#include "codec/machine-view.h"

#define ADDRESS_TEXT_MAX 64

/* With "%IFINDEX" behind a link-local address of IPv6 when the machine has exactly one interface on this host. */
void address_text(const struct machine_view *v, const struct view_address *a, char ret[static ADDRESS_TEXT_MAX]);
