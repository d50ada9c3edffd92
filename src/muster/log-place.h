/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/log-place.h: in which directory the log of a machine is. Users start machines of their own without privileges, whose
 * logs are theirs; all others are in the system's directory. */
#pragma once

#include <stdbool.h>

/* All say what is wrong. *ret is malloc'ed. */
int log_place_directory(bool own, char **ret);       /* negative errno */
int log_place_find(const char *machine, char **ret); /* the same: that of this machine */
int log_place_no_access(const char *directory);      /* returns EXIT_FAILURE */
