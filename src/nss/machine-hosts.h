/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/machine-hosts.h: machines and their addresses, both ways. */
#pragma once

#include "nss/answer.h"

/* family: AF_UNSPEC for both. name is a plausible one. As ask(). */
int machine_addresses(const char *name, int family, int64_t deadline, struct answer *ret);

/* -ENOENT: no machine that we could tell has it. As ask(). */
int machine_of_address(const struct nss_address *address, int64_t deadline, char ret[static ANSWER_NAME_MAX + 1]);
