/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/resolve-json.h: address records, as io.systemd.Resolve.Hook answers with them: as JSON and as on the wire (RFC 1035); and what a client
 * makes of that answer. */
#pragma once

#include <stdbool.h>

#include "codec/json-text.h"
#include "codec/machine-view.h"
#include "core/ports.h"

#define RESOLVE_CLASS_IN 1
#define RESOLVE_TYPE_A 1
#define RESOLVE_TYPE_AAAA 28

/* Could it be asked for? Labels of 1 to 63 bytes, 253 in all, with or without a dot at the end; "" is the root. */
bool resolve_question_is_valid(const char *name);
/* Machine names are nearly host names: a label may have 64 bytes there, and 63 here. */
bool resolve_name_is_valid(const char *name);
/* One element of `answer`. name: resolve_name_is_valid(). Its time to live is 0: addresses of containers change. */
void resolve_json_add(struct json_text *j, const char *name, const struct address *a);

/* The addresses of an answer, malloc'ed; records of other types are left out. 1. 0: the name is nobody's. -EBADMSG, -ENOMEM. */
int resolve_answer_decode(const struct varlink_answer *answer, struct view_address **ret, size_t *ret_n);
