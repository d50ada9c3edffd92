/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/pidref.h: the identity of a process as a plain value; sys/pidfd.h opens, checks and signals it. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pidref {
        pid_t pid;      /* 0: unset */
        int fd;         /* pidfd, or -EBADF when none is held */
        uint64_t id;    /* inode number of the pidfd on kernels with pidfs (6.9+), else 0 */
        uint64_t start; /* field 22 of /proc/PID/stat (clock ticks since boot), or 0 when not read */
};

#define PIDREF_EMPTY ((struct pidref){ .pid = 0, .fd = -EBADF, .id = 0, .start = 0 })

static inline bool pidref_is_set(const struct pidref *p) {
        return p->pid > 0;
}

/* Both known identities must agree; a pid alone never makes two processes the same when an id is known for both. */
static inline bool pidref_same(const struct pidref *a, const struct pidref *b) {
        if (a->pid != b->pid || a->pid <= 0)
                return false;
        if (a->id && b->id)
                return a->id == b->id;
        if (a->start && b->start)
                return a->start == b->start;
        return true;
}
