/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysvinit changes runlevels by messages to a fifo, initctl(5); its signals mean "look at the power supply" and
 * "Ctrl-Alt-Del", which Debian's inittab does not turn into a shutdown.
 *
 * The fifo lies in the guest's tree, so it is a stranger's: it is looked up without leaving that tree, must be a fifo before
 * anything opens it, and must belong to the user that the guest's init runs as. Else a guest could aim us at a fifo of the
 * host that somebody bind-mounted there. */
#include "muster/init-request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "sys/path.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

/* initctl(5): numbers in the byte order of the host, 384 bytes in all */
struct request {
        uint32_t magic;
        int32_t command;
        int32_t runlevel; /* a character */
        int32_t sleep_seconds;
        char reserved[368];
};
_Static_assert(sizeof(struct request) == 384, "the message of initctl(5) has a fixed size");

#define REQUEST_MAGIC 0x03091969
#define REQUEST_RUNLEVEL 1

/* The root directory of exactly this process; its number may have been given to another. */
static int open_root(const struct view_process *leader) {
        struct pidref p;
        char path[64];
        int fd, r;

        r = pidref_open(leader->pid, &p);
        if (r < 0)
                return r;
        if (leader->pidfd_id && p.id && leader->pidfd_id != p.id) {
                pidref_done(&p);
                return -ESRCH;
        }
        snprintf(path, sizeof(path), "/proc/%d/root", (int) leader->pid);
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 ? -errno : 0;
        if (r == 0 && !pidref_is_alive(&p)) { /* alive afterwards: the path was still its own */
                close(fd);
                r = -ESRCH;
        }
        pidref_done(&p);
        return r < 0 ? r : fd;
}

/* The write end. */
static int open_fifo(int root_fd, uid_t owner) {
        static const char *const names[] = { "run/initctl", "dev/initctl" }; /* sysvinit since 2.89, and before */
        int r = -EOPNOTSUPP;

        for (size_t i = 0; r == -EOPNOTSUPP && i < ELEMENTS(names); i++) {
                AUTO_CLOSE int fd = open_in_root(root_fd, names[i], O_PATH);
                char path[64];
                struct stat st;

                if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || st.st_uid != owner)
                        continue;
                snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                r = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
                if (r < 0)
                        r = -errno;
        }
        return r;
}

int init_request_send(const struct view_process *leader, bool reboot) {
        const struct request request = {
                .magic = REQUEST_MAGIC,
                .command = REQUEST_RUNLEVEL,
                .runlevel = reboot ? '6' : '0',
        };
        AUTO_CLOSE int root_fd = open_root(leader), fd = -EBADF;
        uid_t owner;
        int r;

        if (root_fd < 0)
                return root_fd;
        r = proc_uid(leader->pid, &owner);
        if (r < 0)
                return r;
        fd = open_fifo(root_fd, owner);
        if (fd < 0)
                return fd;
        /* 384 bytes are less than PIPE_BUF: all or nothing */
        return write(fd, &request, sizeof(request)) == (ssize_t) sizeof(request) ? 0 : -errno;
}
