/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/console-logs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"

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
