/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/access.h"

#define ACTION(name) "org.freedesktop.machine1." name

static const struct access_rule rules[_VERB_MAX] = {
        [VERB_REGISTER] = { .action = ACTION("register-machine") },
        [VERB_CREATE] = { .action = ACTION("create-machine") },
        [VERB_UNREGISTER] = { .action = ACTION("manage-machines"), .verb = "unregister", .owner = true },
        [VERB_TERMINATE] = { .action = ACTION("manage-machines"), .verb = "terminate", .owner = true },
        [VERB_KILL] = { .action = ACTION("manage-machines"), .verb = "kill", .owner = true },
        [VERB_LIST] = { .action = 0 },
        [VERB_METADATA] = { .action = ACTION("inspect-machines") },
        [VERB_OS_RELEASE] = { .action = ACTION("inspect-machines"), .verb = "get_os_release" },
        [VERB_ADDRESSES] = { .action = 0 },
        [VERB_OPEN_ROOT] = { .action = ACTION("manage-machines"), .verb = "open_root_directory" },
        [VERB_EXEC] = { .action = ACTION("shell"), .host_action = ACTION("host-shell"), .verb = "exec", .owner = true },
        [VERB_OPEN_PTY] = { .action = ACTION("open-pty"), .host_action = ACTION("host-open-pty"), .owner = true },
        [VERB_OPEN_LOGIN] = { .action = ACTION("login"),
                              .host_action = ACTION("host-login"),
                              .verb = "login",
                              .owner = true },
        [VERB_OPEN_SHELL] = { .action = ACTION("shell"), .host_action = ACTION("host-shell"), .owner = true },
        /* No owner: it tells of all machines that ever had the name, and whoever has registered one of it need not have had those. */
        [VERB_OPEN_LOG] = { .action = ACTION("inspect-machines"), .verb = "open_log" },
        [VERB_BIND] = { .action = ACTION("manage-machines"), .verb = "bind" },
        [VERB_COPY_TO] = { .action = ACTION("manage-machines"), .verb = "copy" },
        [VERB_COPY_FROM] = { .action = ACTION("manage-machines"), .verb = "copy" },
        [VERB_SET_LOG] = { .root_only = true },
        [VERB_EVENTS] = { .action = 0 }, /* as VERB_LIST: it tells of machines, never of what is inside */
        [VERB_MANAGE_UNITS] = { .root_only = true },
};

const struct access_rule *access_rule(enum verb verb) {
        return &rules[verb];
}
