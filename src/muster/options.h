/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/options.h: the command line of muster, and what of it machinectl has too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum json_mode { JSON_OFF, JSON_SHORT, JSON_PRETTY };

/* What `register` tells of a machine; strings borrowed from argv. */
struct register_options {
        const char *class;
        const char *service;
        const char *id;
        const char *root;
        const char *ssh_address;
        const char *ssh_key;
        const char *control_address;
        uint32_t leader; /* 0: not given */
        uint32_t vsock_cid;
        bool has_vsock_cid;
        bool create;
        char **interfaces;
};

/* How something runs in a machine; strings borrowed from argv. */
struct session_options {
        const char *user;      /* NULL: root of the machine */
        const char *directory; /* NULL: not given */
        char **environment;
        bool detach;
        enum { TERMINAL_AUTO, TERMINAL_YES, TERMINAL_NO } terminal;
};

struct options {
        bool machinectl; /* called by that name: nothing that it lacks */
        const char *run; /* run-time directory */
        enum json_mode json;
        bool legend;
        bool pager;
        bool ask_password;
        bool all;
        bool full;
        bool value;
        bool quiet;
        unsigned max_addresses; /* UINT_MAX: all */
        char **properties;      /* --property=, empty: all */
        const char *whom;       /* "leader", "supervisor", "all"; NULL: not given */
        int signal;             /* 0: not given */
        bool wait_stopped;      /* --for=stopped */
        uint64_t timeout_usec;  /* UINT64_MAX: none */
        bool follow, guest, raw, remove, group;
        bool force, mkdir, read_only; /* copy-to, copy-from, bind */
        bool has_lines;
        uint32_t lines;            /* --lines=, when has_lines; UINT32_MAX: all */
        const char *since, *until; /* as they were given; NULL: not given */
        struct register_options reg;
        struct session_options session;
        char **words;        /* those that are no options */
        bool runs_a_command; /* a verb whose words, from the second on, are somebody else's options */
};

enum options_result { OPTIONS_GO, OPTIONS_DONE /* answered, exit 0 */, OPTIONS_WRONG /* said so, exit 1 or 2 */ };

/* *ret_args are the words that are no options, NULL-terminated, borrowed from ret. Behind verb and name of `exec` and `shell` no
 * word is an option any more. */
enum options_result options_parse(int argc, char **argv, struct options *ret, char ***ret_args);
void options_done(struct options *o);

/* Prints the option lines of the help text. */
void options_help(bool machinectl);
