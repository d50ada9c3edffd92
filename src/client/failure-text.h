/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client/failure-text.h: why a call to the registry did not work, as one sentence. */
#pragma once

#include "base/str.h"
#include "codec/varlink-answer.h"

/* The daemon could not be reached or talked nonsense: error is what client/varlink-client.h returned. Appends; -ENOMEM. */
int failure_text_connection(const char *run_dir, int error, struct buf *out);

/* The daemon refused `doing` ("terminate") the machine `name`; NULL: doing says it all ("list machines"). What comes from
 * outside is escaped. Appends; -ENOMEM. */
int failure_text_answer(const struct varlink_answer *answer, const char *doing, const char *name, struct buf *out);
