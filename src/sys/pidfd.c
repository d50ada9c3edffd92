/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes by descriptor. On kernels with pidfs the inode number of a pidfd names the process for ever; before that the
 * start time tells a recycled pid, and is read only then. */
#include "sys/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"
#include "sys/fileio.h"
#include "sys/procfs.h"

#define PIDFS_MAGIC 0x50494446
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

static int pidfd_open_pid(pid_t pid) {
        int fd = (int) syscall(SYS_pidfd_open, pid, 0);

        if (fd >= 0)
                return fd;
        /* A thread that leads no group: EINVAL, on newer kernels (seen with 6.18) ENOENT. No number at all: EINVAL. */
        return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
}

/* Whether this kernel has pidfs: asked of the first pidfd, then known. */
static bool has_pidfs(int fd) {
        static int known = -1;
        struct statfs fs;

        if (known < 0)
                known = fstatfs(fd, &fs) >= 0 && fs.f_type == PIDFS_MAGIC;
        return known > 0;
}

static int read_start_time(pid_t pid, uint64_t *ret) {
        AUTO_FREE char *text = NULL;
        char *field, *state = NULL;
        int r;

        r = proc_read(pid, "stat", &text, NULL);
        if (r < 0)
                return r;
        field = strrchr(text, ')'); /* the command's name may hold anything, blanks and parentheses included */
        if (!field)
                return -EBADMSG;
        field = strtok_r(field + 1, " ", &state);
        for (int number = 3; field && number < 22; number++)
                field = strtok_r(NULL, " ", &state);
        return field && parse_u64(field, ret) >= 0 ? 0 : -EBADMSG;
}

/* id, or start time; p->fd and p->pid are set. */
static int identify(struct pidref *p) {
        struct stat st;
        int r;

        if (has_pidfs(p->fd)) {
                if (fstat(p->fd, &st) < 0)
                        return -errno;
                p->id = st.st_ino;
                return 0;
        }
        r = read_start_time(p->pid, &p->start);
        if (r < 0)
                return r;
        return pidref_is_alive(p) ? 0 : -ESRCH; /* what was read belongs to it only if it still lives */
}

int pidref_open(pid_t pid, struct pidref *ret) {
        struct pidref p = PIDREF_EMPTY;
        int r;

        p.pid = pid;
        p.fd = pidfd_open_pid(pid);
        if (p.fd < 0)
                return p.fd;
        r = identify(&p);
        if (r < 0) {
                close(p.fd);
                return r;
        }
        *ret = p;
        return 0;
}

int pidfd_to_pid(int fd, pid_t *ret) {
        AUTO_FREE char *text = NULL;
        char path[64], *line, *flags;
        unsigned open_flags;
        int pid, r;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        r = read_file_at(AT_FDCWD, path, 4096, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? -EBADF : r;
        line = strstr(text, "\nPid:");
        if (!line || sscanf(line, "\nPid: %d", &pid) != 1)
                return -EINVAL;
        flags = strstr(text, "\nflags:");
        if (flags && sscanf(flags, "\nflags: %o", &open_flags) == 1 && (open_flags & PIDFD_THREAD))
                return -EINVAL; /* ends with its thread, not with the process */
        if (pid <= 0)           /* -1: reaped; 0: not of our pid namespace */
                return -ESRCH;
        *ret = pid;
        return 0;
}

int pidref_from_fd(int fd, struct pidref *ret) {
        struct pidref p = PIDREF_EMPTY;
        int r;

        r = pidfd_to_pid(fd, &p.pid);
        if (r < 0)
                return r;
        p.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (p.fd < 0)
                return -errno;
        r = identify(&p);
        if (r < 0) {
                close(p.fd);
                return r;
        }
        *ret = p;
        return 0;
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int pidref_from_peer(int socket_fd, struct pidref *ret) {
        struct pidref p = PIDREF_EMPTY;
        struct ucred peer;
        socklen_t size = sizeof(peer);
        int r;

        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (peer.pid <= 0)
                return -ESRCH;
        size = sizeof(p.fd);
        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &p.fd, &size) < 0)
                switch (errno) {
                case ENOPROTOOPT:
                        return pidref_open(peer.pid, ret);
                case EINVAL: /* kernels that make no pidfd for a reaped process */
                case ENODATA:
                        return -ESRCH;
                default:
                        return -errno;
                }
        p.pid = peer.pid;
        r = identify(&p);
        if (r < 0) {
                close(p.fd);
                return r;
        }
        *ret = p;
        return 0;
}

int pidref_reopen(struct pidref *p) {
        struct pidref now;
        int r;

        if (p->id == 0 && p->start == 0)
                return -ESRCH;
        r = pidref_open(p->pid, &now);
        if (r < 0)
                return r;
        if (now.id == 0 || p->id == 0) {
                /* Recorded by another kernel, or on one without pidfs: only the start time can tell. */
                r = now.start ? 0 : read_start_time(p->pid, &now.start);
                if (r < 0 || p->start == 0 || now.start != p->start) {
                        close(now.fd);
                        return -ESRCH;
                }
        }
        if (!pidref_same(p, &now) || !pidref_is_alive(&now)) {
                close(now.fd);
                return -ESRCH;
        }
        pidref_done(p);
        p->fd = now.fd;
        if (now.id)
                p->id = now.id;
        return 0;
}

void pidref_done(struct pidref *p) {
        if (!p || p->fd < 0)
                return;
        close(p->fd);
        p->fd = -EBADF;
}

bool pidref_is_alive(const struct pidref *p) {
        struct pollfd wait = { .fd = p->fd, .events = POLLIN };

        return p->fd >= 0 && poll(&wait, 1, 0) == 0;
}

int pidref_signal(const struct pidref *p, int sig) {
        struct pidref opened = *p;
        int r = 0;

        if (p->fd < 0) {
                r = pidref_reopen(&opened);
                if (r < 0)
                        return r;
        }
        /* The kernel takes signals for zombies without a word; to the caller they are dead. */
        if (!pidref_is_alive(&opened))
                r = -ESRCH;
        else if (syscall(SYS_pidfd_send_signal, opened.fd, sig, NULL, 0) < 0)
                r = -errno;
        if (p->fd < 0)
                pidref_done(&opened);
        return r;
}
