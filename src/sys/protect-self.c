/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/protect-self.h"

#include <sys/auxv.h>
#include <sys/prctl.h>

#include "sys/own-segments.h"
#include "sys/read-only-self.h"

int protect_self(const char *name, char *const argv[], char *const env[]) {
        if (!is_read_only_self((const char *) getauxval(AT_EXECFN)))
                return read_only_self(argv, env);
        prctl(PR_SET_NAME, name, 0, 0, 0); /* it would be called by the number of the descriptor */
        return 0;
}

int protect_tables(void) {
#ifdef __GLIBC__
        return 0; /* has done so */
#else
        return own_segments_seal();
#endif
}
