/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/here.h: what root does without a registry: the records say which process a machine is. */
#pragma once

#include "base/pidref.h"
#include "muster/options.h"

/* The program that the environment variable names, for trying out what is not installed; else `installed`. */
const char *here_program(const char *variable, const char *installed);

/* Opens the leader of the container `name`, with the checks that the registry makes (service/session.c). -errno when it has said why
 * not. */
int here_leader(const struct options *o, const char *name, struct pidref *ret);
