/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As muster-enter does it: one directory of /proc is opened, then it is made sure that the leader lives, and with it its number. */
#include "muster-transfer/place.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/pidref.h"
#include "sys/pidfd.h"
#include "sys/process-life.h"

static int gone(struct diag *d) {
        return diag_set(d, -ESRCH, NULL, "The machine has ended.");
}

/* *ret stays as it is where the leader has our own. */
static int open_namespace(int proc, const char *name, int *ret, struct diag *d) {
        char own_path[32];
        struct stat own, that;

        snprintf(own_path, sizeof(own_path), "/proc/self/%s", name);
        if (stat(own_path, &own) < 0) /* a kernel without this kind */
                return 0;
        if (fstatat(proc, name, &that, 0) < 0)
                return gone(d);
        if (own.st_dev == that.st_dev && own.st_ino == that.st_ino)
                return 0;
        *ret = openat(proc, name, O_RDONLY | O_CLOEXEC);
        return *ret < 0 ? gone(d) : 0;
}

int place_open(int pidfd, struct place *p, struct diag *d) {
        struct pidref leader = { .fd = pidfd };
        char path[32];
        pid_t pid;
        int r;

        p->leader = pidfd;
        if (pidfd_to_pid(pidfd, &pid) < 0)
                return gone(d);
        snprintf(path, sizeof(path), "/proc/%d", (int) pid);
        p->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (p->proc < 0 || !pidref_is_alive(&leader))
                return gone(d);
        r = process_await_start(p->proc);
        if (r < 0)
                return diag_set(d, r, NULL, "The machine is still being started.");
        p->root = openat(p->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (p->root < 0)
                return diag_set(d, -errno, NULL, "Cannot open the root directory of the machine: %s.", strerror(errno));
        r = open_namespace(p->proc, "ns/user", &p->users, d);
        if (r >= 0)
                r = open_namespace(p->proc, "ns/mnt", &p->mounts, d);
        if (r >= 0 && (!pidref_is_alive(&leader) || process_is_ending(p->proc)))
                r = gone(d);
        return r;
}

void place_done(struct place *p) {
        const int fds[] = { p->proc, p->root, p->users, p->mounts };

        for (size_t i = 0; i < ELEMENTS(fds); i++)
                if (fds[i] >= 0)
                        close(fds[i]);
}

int place_become_root(const struct place *p) {
        if (p->users < 0)
                return 0;
        if (setns(p->users, CLONE_NEWUSER) < 0)
                return -errno;
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return -errno;
        /* To be traced by nobody of the machine: the kernel would have refused that for the program, which is the host's. */
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}
