/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/idmap-text.h: /proc/PID/uid_map and gid_map as text (user_namespaces(7)) -> struct idmap. */
#pragma once

#include <stddef.h>

#include "core/uidindex.h"

/* -EBADMSG: no map. -E2BIG: more than IDMAP_RANGES_MAX lines. -ENOMEM. An empty text is an empty map. */
int idmap_decode(const char *text, size_t size, struct idmap *ret);
