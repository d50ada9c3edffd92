/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-hook/options.h: the command line of muster-hook. */
#pragma once

#include <stdbool.h>

/* Borrowed from argv. */
struct options {
        bool required;          /* a container that cannot be registered is not to start */
        const char *name;       /* NULL: the manager's */
        const char *service;    /* NULL: by the kind of hook */
        const char *annotation; /* OCI: where the name may come from; NULL: nowhere */
        const char *run;        /* run-time directory of the daemon */
        unsigned timeout_msec;
};

enum options_result { OPTIONS_GO, OPTIONS_DONE /* answered, exit 0 */, OPTIONS_WRONG /* said so, exit 2 */ };

/* *ret_words: the words from the first that is no option on: what follows is the container manager's, whatever it looks like.
 * NULL-terminated, borrowed from argv. */
enum options_result options_parse(int argc, char **argv, struct options *ret, char ***ret_words);
