/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/spawn-clean.h"

#include <signal.h>
#include <stddef.h>

static int attributes_fill(posix_spawnattr_t *attributes, bool session) {
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes, (short) (POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                                  (session ? POSIX_SPAWN_SETSID : 0)));
        return -r;
}

int spawn_clean(const char *program, const char *name, const posix_spawn_file_actions_t *actions, bool session,
                pid_t *ret) {
        char *const argv[] = { (char *) name, NULL }, *const envp[] = { NULL };
        posix_spawnattr_t attributes;
        int r;

        r = posix_spawnattr_init(&attributes);
        if (r != 0)
                return -r;
        r = attributes_fill(&attributes, session);
        if (r == 0)
                r = -posix_spawn(ret, program, actions, &attributes, argv, envp);
        posix_spawnattr_destroy(&attributes);
        return r;
}
