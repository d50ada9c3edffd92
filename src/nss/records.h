/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/records.h: the records of the machines, in /run/systemd/machines: whether a name is one costs one system call. */
#pragma once

#include <stdbool.h>

#include "nss/record-scan.h"

#define RECORDS_DIRECTORY "/run/systemd/machines"

/* Whether a machine could be called that: no look-up in a directory leaves it with such a name. */
bool machine_name_is_plausible(const char *name);

/* Does its name stand for addresses, for whoever asks? A container's; a user's machine has a name for him alone, for it may be called
 * as a host is that others mean. */
bool record_is_heard(const struct record_scan *record);

/* -ENOENT: no machine has that name. -errno. */
int record_read(const char *name, struct record_scan *ret);

/* Calls fn for the record of each machine until it returns another value than 0, which is passed on; negative: -errno.
 * -ENOENT: there is no registry. */
int records_each(int (*fn)(const char *name, const struct record_scan *record, void *userdata), void *userdata);
