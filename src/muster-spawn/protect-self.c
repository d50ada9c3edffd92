/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/protect-self.h"

#include <sys/auxv.h>
#include <sys/prctl.h>

#include "muster-spawn/read-only-self.h"

#define NAME "muster-spawn"

void protect_self(char *const argv[], char *const env[]) {
        if (is_read_only_self((const char *) getauxval(AT_EXECFN)))
                prctl(PR_SET_NAME, NAME, 0, 0, 0); /* it would be called by the number of the descriptor */
        else
                read_only_self(argv, env);
}
