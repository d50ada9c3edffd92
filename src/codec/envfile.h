/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/envfile.h: KEY=value files (state files, os-release): reading and quoting (registry.md 8.2). */
#pragma once

#include <stddef.h>

#include "base/str.h"

/* Calls line(key, value) for each assignment of text (size bytes, hostile; NUL bytes end it with -EBADMSG). Both strings are
 * unquoted, NUL-terminated and valid during the call only. Lines that are no assignment are skipped. A non-zero return of
 * line() ends the walk and is returned. 0, -ENOMEM. */
int envfile_parse(const char *text, size_t size, int (*line)(void *userdata, const char *key, const char *value),
                  void *userdata);

/* Appends KEY=value\n in the 262 style: raw, or in double quotes where needed. */
int envfile_append(struct buf *out, const char *key, const char *value);
