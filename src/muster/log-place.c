/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/log-place.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "client/console-logs.h"
#include "muster/failure.h"

static bool has_log(const char *directory, const char *machine) {
        char path[4096], file[CONSOLE_LOG_NAME_SIZE];
        struct stat st;
        int n;

        console_log_file_name(machine, 0, file);
        n = snprintf(path, sizeof(path), "%s/%s", directory, file);
        return n > 0 && (size_t) n < sizeof(path) && lstat(path, &st) == 0;
}

int log_place_directory(bool own, char **ret) {
        int r = console_logs_directory(own, ret);

        if (r == -EINVAL)
                fail(CONSOLE_LOGS_ENVIRONMENT " must be an absolute path.");
        else if (r == -ENOMEM)
                fail("Out of memory.");
        return r;
}

int log_place_find(const char *machine, char **ret) {
        AUTO_FREE char *own = NULL;

        if (geteuid() != 0 && log_place_directory(true, &own) == 0 && has_log(own, machine)) {
                *ret = STEAL(own);
                return 0;
        }
        return log_place_directory(false, ret);
}

int log_place_no_access(const char *directory) {
        return fail("Only root, the group of %s, and who is granted the polkit action "
                    "org.freedesktop.machine1.inspect-machines may read the logs there: use sudo or pkexec, or let "
                    "root give "
                    "it your group with chgrp -R, or make a rule (polkit(8)).",
                    directory);
}
