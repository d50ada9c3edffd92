/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/throw-away.h: directories that last as long as a run: below /var/tmp, or beside the upper directory of an overlay,
 * which the kernel wants to have a work directory on the same file system. */
#pragma once

#define THROW_AWAY_PATTERN "/var/tmp/muster-spawn-XXXXXX"

/* The pattern of what goes beside a directory, ".#NAME-XXXXXX". To be freed; NULL: out of memory. */
char *throw_away_beside(const char *upper);
/* Makes one, mode 0700; pattern ends in XXXXXX, and becomes its path. Its descriptor holds a lock: as long as it is open, nobody
 * takes the directory for one that was left behind. Returns it, or a negative errno. */
int throw_away_make(char *pattern);
/* Removes those that runs that were killed have left behind: below /var/tmp; beside that directory. */
void throw_away_clean(void);
void throw_away_clean_beside(const char *upper);
