/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps of the child that are neither mounts nor files: who it is, its namespaces, its name, its network, its terminal. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <termios.h>
#include <unistd.h>

#include "muster-spawn/channel.h"
#include "muster-spawn/child.h"
#include "sys/bare-call.h"

static int become_root(struct execution *x, const struct step *s) {
        int r = BARE(setresgid, 0, 0, 0);

        if (r >= 0)
                r = BARE(setresuid, 0, 0, 0);
        if (r >= 0)
                r = BARE(setgroups, 0, NULL);
        return r == -EPERM ? 0 : r; /* denied for this namespace: they are unmapped */
}

static int cgroup_namespace(struct execution *x, const struct step *s) {
        return BARE(unshare, CLONE_NEWCGROUP);
}

static int hostname(struct execution *x, const struct step *s) {
        return BARE(sethostname, s->source, strlen(s->source));
}

static int loopback(struct execution *x, const struct step *s) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        int fd = BARE(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

        if (fd < 0)
                return fd;
        r = BARE(ioctl, fd, SIOCSIFFLAGS, &request);
        BARE(close, fd);
        return r;
}

/* Our own /proc is all that is mounted there; sysctl(8). */
static int kernel_setting(struct execution *x, const struct step *s) {
        int fd = BARE(openat, AT_FDCWD, s->target, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), n;

        if (fd < 0)
                return fd;
        n = BARE(write, fd, s->source, strlen(s->source));
        BARE(close, fd);
        return n < 0 ? n : 0;
}

/* That of the runner's terminal. Here, because the payload may ask for it before the runner has got the master. */
static void size_console(int slave) {
        struct winsize size;

        if (BARE(ioctl, STDOUT_FILENO, TIOCGWINSZ, &size) == 0 || BARE(ioctl, STDIN_FILENO, TIOCGWINSZ, &size) == 0)
                BARE(ioctl, slave, TIOCSWINSZ, &size);
}

/* The terminal belongs to the container's own devpts, so that it has a name there; what is typed reaches it through the master,
 * which goes to the runner. The runner's own terminal never gets in here: nothing inside can push input to it (TIOCSTI). */
static int console(struct execution *x, const struct step *s) {
        static const int unlock = 0;
        int master, slave, r;

        master = BARE(openat, AT_FDCWD, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (master < 0)
                return master;
        r = BARE(ioctl, master, TIOCSPTLCK, &unlock);
        if (r < 0)
                return r;
        slave = BARE(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
        if (slave < 0)
                return slave;
        r = BARE(symlinkat, "pts/0", AT_FDCWD, "/dev/console"); /* the first of a new instance is number 0 */
        if (r < 0)
                return r;
        size_console(slave);
        r = channel_send(x->channel[1], CHANNEL_TERMINAL, 0, 0, master);
        if (r < 0)
                return r;
        BARE(close, master);
        r = BARE(ioctl, slave, TIOCSCTTY, 0);
        for (int fd = 0; r >= 0 && fd < 3; fd++)
                if (fd != slave)
                        r = BARE(dup3, slave, fd, 0);
        if (r >= 0 && slave > 2)
                BARE(close, slave);
        return r < 0 ? r : 0;
}

child_step_fn *const child_setup_steps[_STEP_MAX] = {
        [STEP_BECOME_ROOT] = become_root, [STEP_CGROUP_NAMESPACE] = cgroup_namespace,
        [STEP_HOSTNAME] = hostname,       [STEP_LOOPBACK] = loopback,
        [STEP_SYSCTL] = kernel_setting,   [STEP_CONSOLE] = console,
};
