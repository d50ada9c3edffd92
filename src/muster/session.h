/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/session.h: something that runs in a machine, from here. */
#pragma once

#include "client/varlink-client.h"
#include "core/session.h"
#include "muster/options.h"

/* Has s (its status socket must be there) started in the machine, by the registry or, where none runs and we are root, by ourselves.
 * EXIT_SUCCESS, or EXIT_SESSION when it has said why not. *ret: the registry, which has still to answer; NULL: it has been started. */
int session_start(const struct options *o, const char *name, const struct session *s, struct varlink_client **ret);
/* The answer: EXIT_SUCCESS, EXIT_SESSION when it has said why not, -EAGAIN: it has not come yet. */
int session_answer(const struct options *o, const char *name, struct varlink_client *c);

/* Starts s and looks after it until it ends; fills in the descriptors and the size of the terminal. name: of the machine.
 * Returns the exit status. Whatever happens, our terminal is as it was. */
int session_run(const struct options *o, const char *name, struct session *s);
