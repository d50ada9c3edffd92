/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The request is a file in memory: whatever its size, nobody waits for anybody to read it, and it is complete when the program
 * begins. */
#include "sys/spawn-enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/mountfd.h"

#define FIRST_FD 3 /* request, leader, status, starting: ENTER_FD_... of codec/enter-protocol.h */
#define FDS 7

static int request_file(const void *data, size_t size) {
        AUTO_CLOSE int fd = memfd_create("muster-enter", MFD_CLOEXEC);
        const char *at = data;

        if (fd < 0)
                return -errno;
        while (size > 0) {
                ssize_t n = write(fd, at, size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        at += n;
                        size -= (size_t) n;
                }
        }
        return STEAL_FD(fd);
}

/* From `fds` to 0, 1, 2 and FIRST_FD on. All were duplicated to numbers above the highest target, so none is overwritten before its turn,
 * and dup2(2) always makes a copy that survives the exec. */
static int actions_fill(posix_spawn_file_actions_t *actions, const int fds[static FDS]) {
        int r = 0;

        for (int i = 0; r == 0 && i < FDS; i++)
                r = fds[i] >= 0 ? posix_spawn_file_actions_adddup2(actions, fds[i], i)
                                : posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0);
        return -r;
}

static int attributes_fill(posix_spawnattr_t *attributes) {
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes,
                                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
        return -r;
}

static int spawn(const char *program, const char *path, const int fds[static FDS], pid_t *ret) {
        char *const argv[] = { (char *) path, NULL }, *const envp[] = { NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r != 0) {
                posix_spawn_file_actions_destroy(&actions);
                return -r;
        }
        r = actions_fill(&actions, fds);
        if (r == 0)
                r = attributes_fill(&attributes);
        if (r == 0)
                r = -posix_spawn(ret, program, &actions, &attributes, argv, envp);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* The program on a detached mount that is read-only: what it would make by itself (sys/protect-self.h), and then begin anew from.
 * Negative: it is left to do so. */
static int read_only_program(const char *path) {
        AUTO_CLOSE int found = mount_clone(AT_FDCWD, path, false);
        int fd;

        if (found < 0 || mount_change(found, "", false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, MS_PRIVATE) < 0)
                return -EBADF;
        fd = fcntl(found, F_DUPFD_CLOEXEC, FDS);
        return fd < 0 ? -errno : fd;
}

int spawn_enter(const struct spawn_enter *s, pid_t *ret) {
        AUTO_CLOSE int program = read_only_program(s->path);
        char by_descriptor[32];
        AUTO_CLOSE int request = request_file(s->request, s->request_size);
        const int given[FDS] = { s->stdio[0], s->stdio[1], s->stdio[2], request, s->leader, s->status, s->starting };
        int fds[FDS] = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF }, r = request < 0 ? request : 0;

        snprintf(by_descriptor, sizeof(by_descriptor), "/proc/self/fd/%d", program);
        for (int i = 0; r >= 0 && i < FDS; i++) {
                if (given[i] < 0 && (i < FIRST_FD || i == FDS - 1))
                        continue;
                fds[i] = fcntl(given[i], F_DUPFD_CLOEXEC, FDS);
                if (fds[i] < 0)
                        r = -errno;
        }
        if (r >= 0)
                r = spawn(program >= 0 ? by_descriptor : s->path, s->path, fds, ret);
        for (int i = 0; i < FDS; i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        return r;
}
