/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/console-logs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define SUFFIX ".log"

int console_logs_directory(bool own, char **ret) {
        const char *directory = getenv(CONSOLE_LOGS_ENVIRONMENT), *state = getenv("XDG_STATE_HOME"),
                   *home = getenv("HOME");
        AUTO_BUF struct buf path = BUF_EMPTY;

        if (!isempty(directory)) {
                if (!path_is_absolute_and_valid(directory))
                        return -EINVAL;
                buf_append_str(&path, directory);
        } else if (!own)
                buf_append_str(&path, CONSOLE_LOGS_DIRECTORY);
        else if (state && path_is_absolute(state))
                buf_printf(&path, "%s/muster/log", state);
        else if (home && path_is_absolute(home))
                buf_printf(&path, "%s/.local/state/muster/log", home);
        else
                return -ENOENT;
        return buf_steal(&path, ret);
}

void console_log_file_name(const char *name, unsigned age, char ret[static CONSOLE_LOG_NAME_SIZE]) {
        if (age == 0)
                (void) snprintf(ret, CONSOLE_LOG_NAME_SIZE, "%.*s" SUFFIX, MACHINE_NAME_MAX, name);
        else
                (void) snprintf(ret, CONSOLE_LOG_NAME_SIZE, "%.*s" SUFFIX ".%u", MACHINE_NAME_MAX, name,
                                age % CONSOLE_LOGS_FILES_MAX);
}

bool console_log_machine_name(const char *file, char ret[static MACHINE_NAME_MAX + 1]) {
        const char *suffix = endswith(file, SUFFIX);
        size_t size = suffix ? (size_t) (suffix - file) : 0;

        if (size == 0 || size > MACHINE_NAME_MAX)
                return false;
        memcpy(ret, file, size);
        ret[size] = '\0';
        return machine_name_is_valid(ret);
}
