/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/unit-record.h: what is noted of a scope without a machine on its control group (an extended attribute), so that it
 * is known after a restart and gone with the control group. Name, slice and path are the control group's own. */
#pragma once

#include <stddef.h>

#include "base/str.h"
#include "core/unit.h"

#define UNIT_RECORD_MAX 4096 /* bytes */

/* Appends the text. -ENOMEM. */
int unit_record_encode(const struct unit *u, struct buf *out);
/* path: the control group "[/PREFIX]/SLICES/NAME.scope". text: hostile. The unit has what the text does not say at its
 * default. -EBADMSG: path or text is no record. -ENOMEM. */
int unit_record_decode(const char *path, const char *text, size_t size, struct unit **ret);
