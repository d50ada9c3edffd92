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
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "muster-spawn/channel.h"
#include "muster-spawn/child.h"

/* By system call: the wrappers of libc speak to threads that are not there. */
static int become_root(struct execution *x, const struct step *s) {
        if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
                return -errno;
        if (syscall(SYS_setgroups, 0, NULL) < 0 &&
            errno != EPERM) /* EPERM: denied for this namespace, they are unmapped */
                return -errno;
        return 0;
}

static int cgroup_namespace(struct execution *x, const struct step *s) {
        return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

static int hostname(struct execution *x, const struct step *s) {
        return sethostname(s->source, strlen(s->source)) < 0 ? -errno : 0;
}

static int loopback(struct execution *x, const struct step *s) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

        if (fd < 0)
                return -errno;
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                r = -errno;
        close(fd);
        return r;
}

/* Our own /proc is all that is mounted there; sysctl(8). */
static int kernel_setting(struct execution *x, const struct step *s) {
        size_t size = strlen(s->source);
        int fd = open(s->target, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), r = 0;

        if (fd < 0)
                return -errno;
        if (write(fd, s->source, size) != (ssize_t) size)
                r = -errno;
        close(fd);
        return r;
}

/* That of the runner's terminal. Here, because the payload may ask for it before the runner has got the master. */
static void size_console(int slave) {
        struct winsize size;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
                (void) ioctl(slave, TIOCSWINSZ, &size);
}

/* The terminal belongs to the container's own devpts, so that it has a name there; what is typed reaches it through the master,
 * which goes to the runner. The runner's own terminal never gets in here: nothing inside can push input to it (TIOCSTI). */
static int console(struct execution *x, const struct step *s) {
        static const int unlock = 0;
        int master, slave, r;

        master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (master < 0)
                return -errno;
        if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return -errno;
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
        if (slave < 0)
                return -errno;
        if (symlink("pts/0", "/dev/console") < 0) /* the first of a new instance is number 0 */
                return -errno;
        size_console(slave);
        r = channel_send(x->channel[1], CHANNEL_TERMINAL, 0, 0, master);
        if (r < 0)
                return r;
        close(master);
        if (ioctl(slave, TIOCSCTTY, 0) < 0)
                return -errno;
        for (int fd = 0; fd < 3; fd++)
                if (dup2(slave, fd) < 0)
                        return -errno;
        if (slave > 2)
                close(slave);
        return 0;
}

child_step_fn *const child_setup_steps[_STEP_MAX] = {
        [STEP_BECOME_ROOT] = become_root, [STEP_CGROUP_NAMESPACE] = cgroup_namespace,
        [STEP_HOSTNAME] = hostname,       [STEP_LOOPBACK] = loopback,
        [STEP_SYSCTL] = kernel_setting,   [STEP_CONSOLE] = console,
};
