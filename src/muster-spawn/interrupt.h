/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/interrupt.h: does somebody want us to stop? Before there is a payload our signals are blocked, and nobody reads them. */
#pragma once

#include <signal.h>
#include <stdbool.h>

static inline bool stop_wanted(void *userdata) {
        sigset_t set;

        (void) userdata;
        return sigpending(&set) == 0 &&
               (sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGHUP) == 1);
}
