/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection to the system bus inside of a container. The kernel notes who connects at connect(2), so somebody must do that as
 * root of the container, not of the host: a child, which goes into the container's root directory, then into its user
 * namespace. It runs nothing of the container, and makes system calls only: we may have many threads. */
#include <muster/muster.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "libmuster/call.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define BUS_SOCKET "/run/dbus/system_bus_socket"
#define CONNECT_SEC 5 /* a bus that does not take connections */

struct way_in {
        struct pidref leader;
        int root_fd;
        int user_fd; /* negative: its users are ours */
        int socket_fd;
};

static void way_in_done(struct way_in *w) {
        pidref_done(&w->leader);
        auto_close_p(&w->root_fd);
        auto_close_p(&w->user_fd);
        auto_close_p(&w->socket_fd);
}

static int open_proc(pid_t pid, const char *what, int flags) {
        char path[64];
        int fd;

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, what);
        fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* The child: no library function but these. */
static int connect_inside(const struct way_in *w) {
        static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = BUS_SOCKET };

        if (fchdir(w->root_fd) < 0 || chroot(".") < 0)
                return errno;
        if (w->user_fd >= 0) {
                if (setns(w->user_fd, CLONE_NEWUSER) < 0)
                        return errno;
                /* The system calls themselves: libc's functions would want to tell other threads. */
                if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
                    syscall(SYS_setresuid, 0, 0, 0) < 0)
                        return errno;
        }
        return connect(w->socket_fd, (const struct sockaddr *) &address, sizeof(address)) < 0 ? errno : 0;
}

/* Without a signal at its end: the program's own handling of its children does not see it. */
static int run_child(const struct way_in *w) {
        pid_t pid = (pid_t) syscall(SYS_clone, 0, 0, 0, 0, 0);
        int status;

        if (pid < 0)
                return -errno;
        if (pid == 0)
                syscall(SYS_exit_group, connect_inside(w)); /* errors are numbers below 256 */
        while (waitpid(pid, &status, __WCLONE) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int open_way_in(pid_t pid, struct way_in *w) {
        const struct timeval limit = { .tv_sec = CONNECT_SEC };
        int r;

        w->root_fd = open_proc(pid, "root", O_PATH | O_DIRECTORY);
        if (w->root_fd < 0)
                return w->root_fd;
        r = proc_same_namespace(pid, 0, "user");
        if (r == 0)
                r = w->user_fd = open_proc(pid, "ns/user", O_RDONLY);
        if (r < 0)
                return r;
        if (!pidref_is_alive(&w->leader)) /* those were of another process with its number */
                return -ESRCH;
        w->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (w->socket_fd < 0 || setsockopt(w->socket_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return -errno;
        return 0;
}

static int open_leader(const char *name, struct pidref *ret) {
        muster_machine *m;
        int r = muster_machine_get(name, 0, &m), fd;

        if (r < 0)
                return r;
        fd = streq(strempty(muster_machine_class(m)), "container") ? muster_machine_open_leader(m) : -EOPNOTSUPP;
        *ret = (struct pidref){ .pid = muster_machine_leader(m), .fd = fd };
        muster_machine_free(m);
        return fd < 0 ? fd : 0;
}

EXPORT int muster_open_system_bus(const char *name) {
        AUTO(way_in_done) struct way_in w = { PIDREF_EMPTY, -EBADF, -EBADF, -EBADF };
        const struct timeval forever = { .tv_sec = 0 };
        int r = open_leader(name, &w.leader);

        if (r >= 0)
                r = open_way_in(w.leader.pid, &w);
        if (r >= 0)
                r = run_child(&w);
        if (r < 0)
                return r == -EAGAIN ? -ETIMEDOUT : r;
        if (setsockopt(w.socket_fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof(forever)) < 0)
                return -errno;
        return STEAL_FD(w.socket_fd);
}
