/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/connect.h: to the registry, with the patience that it takes. */
#pragma once

#include "client/varlink-client.h"
#include "muster/options.h"

/* May polkit ask somebody for a password? Not one who has no terminal. */
bool may_ask_password(const struct options *o);

/* Milliseconds that an answer may take, -1: for ever, for somebody may be typing (musterd has a limit). Root is asked for nothing. */
int answer_timeout_msec(const struct options *o);

/* varlink_client_connect() to the registry of o->run, with that for all answers. */
int connect_registry(const struct options *o, struct varlink_client **ret);
