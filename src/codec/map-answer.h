/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/map-answer.h: what MapTo and MapFrom of io.systemd.Machine reply. */
#pragma once

#include <stdint.h>

#include "codec/varlink-answer.h"

/* member: "uid" or "gid". ret_machine: MapTo's machine, malloc'ed; NULL: not wanted. -EBADMSG: something is missing, is out of
 * bounds, or no machine's name. -ENOMEM. */
int map_answer_decode(const struct varlink_answer *answer, const char *member, char **ret_machine, uint32_t *ret_id);
