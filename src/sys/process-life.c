/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/process-life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/fileio.h"
#include "sys/procfs.h"

#define TEXT_MAX 65536
#define START_PAUSES 5000 /* of 2 ms */

/* Flags of the kernel's tasks, field 9 of /proc/PID/stat (include/linux/sched.h). */
#define FLAG_EXITING 0x4
#define FLAG_NEVER_EXECUTED 0x40 /* it is still the program that its parent is */

struct life {
        unsigned long flags;
        pid_t parent;
};

static int read_life(int proc_fd, struct life *ret) {
        AUTO_FREE char *text = NULL;
        const char *fields;
        int parent;

        if (read_record_at(proc_fd, "stat", TEXT_MAX, &text, NULL) < 0)
                return -ESRCH;
        fields = strrchr(text, ')'); /* the name may hold anything */
        if (!fields || sscanf(fields + 1, " %*c %d %*d %*d %*d %*d %lu", &parent, &ret->flags) != 2)
                return -EBADMSG;
        ret->parent = (pid_t) parent;
        return 0;
}

bool process_is_ending(int proc_fd) {
        struct life life;

        return read_life(proc_fd, &life) < 0 || (life.flags & FLAG_EXITING);
}

static bool is_starting(int proc_fd) {
        AUTO_FREE char *own = NULL, *parents = NULL;
        struct life life;

        if (read_life(proc_fd, &life) < 0 || proc_read(life.parent, "comm", &parents, NULL) < 0)
                return false;
        if (streq(parents, PROCESS_STARTING "\n"))
                return true;
        return (life.flags & FLAG_NEVER_EXECUTED) && read_record_at(proc_fd, "comm", 64, &own, NULL) == 0 &&
               streq(own, parents);
}

int process_await_start(int proc_fd) {
        static const struct timespec pause = { .tv_nsec = 2000000 };

        for (int i = 0; is_starting(proc_fd); i++) {
                if (i >= START_PAUSES)
                        return -EBUSY;
                nanosleep(&pause, NULL);
        }
        return 0;
}
