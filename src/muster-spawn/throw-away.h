/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/throw-away.h: directories below /var/tmp that last as long as a run. */
#pragma once

#define THROW_AWAY_PATTERN "/var/tmp/muster-spawn-XXXXXX"

/* Makes one, mode 0700. Its descriptor holds a lock: as long as it is open, nobody takes the directory for one that was left behind.
 * Returns it, or a negative errno. */
int throw_away_make(char path[static sizeof(THROW_AWAY_PATTERN)]);
/* Removes those that runs that were killed have left behind. */
void throw_away_clean(void);
