/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The request is a file in memory: whatever its size, nobody waits for anybody to read it, and it is complete when the program
 * begins. */
#include "sys/spawn-enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/mountfd.h"
#include "sys/spawn-clean.h"

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

static int spawn(const char *program, const char *path, const int fds[static FDS], pid_t *ret) {
        posix_spawn_file_actions_t actions;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = actions_fill(&actions, fds);
        if (r == 0)
                r = spawn_clean(program, path, &actions, true, ret);
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

/* given: negative: /dev/null. */
static int spawn_with(const char *path, const int given[static FDS], pid_t *ret) {
        AUTO_CLOSE int program = read_only_program(path);
        char by_descriptor[32];
        int fds[FDS] = { -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF }, r = 0;

        snprintf(by_descriptor, sizeof(by_descriptor), "/proc/self/fd/%d", program);
        for (int i = 0; r >= 0 && i < FDS; i++) {
                if (given[i] < 0)
                        continue;
                fds[i] = fcntl(given[i], F_DUPFD_CLOEXEC, FDS);
                if (fds[i] < 0)
                        r = -errno;
        }
        if (r >= 0)
                r = spawn(program >= 0 ? by_descriptor : path, path, fds, ret);
        for (int i = 0; i < FDS; i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        return r;
}

int spawn_enter(const struct spawn_enter *s, pid_t *ret) {
        AUTO_CLOSE int request = request_file(s->request, s->request_size);

        if (request < 0)
                return request;
        return spawn_with(
                s->path,
                (const int[FDS]){ s->stdio[0], s->stdio[1], s->stdio[2], request, s->leader, s->status, s->starting },
                ret);
}

int spawn_enter_spare(const char *path, int socket, pid_t *ret) {
        return spawn_with(path, (const int[FDS]){ -EBADF, -EBADF, -EBADF, socket, -EBADF, -EBADF, -EBADF }, ret);
}

/* The number that each is to have there, a byte for each descriptor. */
int spawn_enter_order(int socket, const struct spawn_enter *s) {
        AUTO_CLOSE int request = request_file(s->request, s->request_size);
        const int given[FDS] = { s->stdio[0], s->stdio[1], s->stdio[2], request, s->leader, s->status, s->starting };
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(FDS * sizeof(int))];
        } control = { .bytes = { 0 } };
        char numbers[FDS];
        struct iovec part = { .iov_base = numbers };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes };

        if (request < 0)
                return request;
        for (int i = 0; i < FDS; i++)
                if (given[i] >= 0) {
                        memcpy(CMSG_DATA(&control.head) + part.iov_len * sizeof(int), &given[i], sizeof(int));
                        numbers[part.iov_len++] = (char) i;
                }
        message.msg_controllen = CMSG_SPACE(part.iov_len * sizeof(int));
        control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(part.iov_len * sizeof(int)),
                                         .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS };
        return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
