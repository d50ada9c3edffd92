/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/failure.h: what went wrong, in one sentence on standard error. */
#pragma once

#include <stdbool.h>

#include "codec/varlink-answer.h"

#define EXIT_SESSION 125 /* of ours where a command's own status is expected: as env(1) has it */
#define EXIT_USAGE 2     /* wrong command line; machinectl has 1 for everything */

/* Prints "muster: ..." and a newline; always returns EXIT_FAILURE. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The daemon could not be reached or talked nonsense: error is what client/varlink-client.h returned. Returns EXIT_FAILURE. */
int fail_connection(const char *run_dir, int error);

/* The daemon refused `doing` ("terminate") the machine `name`; NULL: doing says it all ("list machines"). Returns
 * EXIT_FAILURE. */
int fail_answer(const struct varlink_answer *answer, const char *doing, const char *name);

/* Permission was the reason. */
bool answer_is_denial(const struct varlink_answer *answer);
