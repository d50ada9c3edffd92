/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-hook: run by LXC and OCI runtimes when a container starts and when it has ended.
 *
 * Flow:  options.c    the command line; the first word says who calls
 *        hook-lxc.c   environment -> struct container
 *        hook-oci.c   JSON on standard input (codec/oci-state.c) -> struct container
 *        tell.c       struct container -> calls to the registry (client/)
 *
 * A registry that is away, or refuses, is no reason for a container not to start: that is said, and the exit status is 0
 * unless --required was given. A wrong command line gives 2 in any case: whoever writes it wants to know. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-hook/fail.h"
#include "muster-hook/hooks.h"

#define EXIT_USAGE 2

static const struct {
        const char *name;
        int (*run)(const struct options *o, char **words);
} hooks[] = {
        { "lxc", hook_lxc },
        { "oci", hook_oci },
};

static int run(const struct options *o, char **words) {
        if (!*words) {
                fail("Say who calls: lxc or oci; see --help.");
                return EXIT_USAGE;
        }
        for (size_t i = 0; i < ELEMENTS(hooks); i++)
                if (streq(hooks[i].name, *words))
                        return hooks[i].run(o, words + 1) < 0 && o->required ? EXIT_FAILURE : EXIT_SUCCESS;
        fail("There is no kind of hook \"%s\": lxc and oci are known.", *words);
        return EXIT_USAGE;
}

int main(int argc, char **argv) {
        struct options o;
        char **words;

        if (argc < 1)
                return EXIT_FAILURE;
        signal(SIGPIPE, SIG_IGN); /* a runtime that does not read what we say is no reason to fail, either */
        switch (options_parse(argc, argv, &o, &words)) {
        case OPTIONS_DONE:
                return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        case OPTIONS_WRONG:
                return EXIT_USAGE;
        default:
                return run(&o, words);
        }
}
