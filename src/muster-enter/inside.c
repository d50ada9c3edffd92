/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The third process, in the machine: gives up what the machine's own processes do not have, and becomes the command. Nothing is
 * looked up, loaded or allocated any more: all of that would be the machine's code and files with our rights. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "muster-enter/enter.h"
#include "sys/terminal.h"

#define CAPABILITY_LAST 63
#define PATH_BYTES 4096

static _Noreturn void fail(int channel, int exit_status, const char *what, int error) {
        if (error < 0)
                report_failed(channel, exit_status, "%s: %s.", what, strerror(-error));
        else
                report_failed(channel, exit_status, "%s.", what);
        _exit(1);
}

/* ---- rights ---- */

static int get_permitted(uint64_t *ret) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        *ret = (uint64_t) data[1].permitted << 32 | data[0].permitted;
        return 0;
}

static int set_capabilities(uint64_t effective, uint64_t permitted) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        for (int i = 0; i < 2; i++)
                data[i] = (struct __user_cap_data_struct){ .effective = (uint32_t) (effective >> (32 * i)),
                                                           .permitted = (uint32_t) (permitted >> (32 * i)) };
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int drop_bounding(uint64_t keep) {
        for (unsigned long cap = 0; cap <= CAPABILITY_LAST; cap++)
                if (!(keep & (UINT64_C(1) << cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
                        return errno == EINVAL ? 0 : -errno; /* EINVAL: the kernel knows no more */
        return 0;
}

static int install_filter(const struct filter *f) {
        struct sock_fprog program = { .len = (unsigned short) f->n_code, .filter = (struct sock_filter *) f->code };

        _Static_assert(sizeof(struct sock_filter) == sizeof(struct filter_instruction), "the same layout");
        if (f->n_code == 0)
                return 0;
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

/* What holds for every process of the machine. The filter comes while we may still set one without no_new_privs; it lets pass what
 * is left to do. */
static int confine(const struct enter *e) {
        const struct proc_confinement *c = &e->leader.confinement;
        int r;

        /* The keys of whoever started us are not the machine's. Kernels without keys have nothing to take. */
        (void) syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
        if (c->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        r = install_filter(&e->filter);
        if (r < 0)
                return r;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
                return -errno;
        return drop_bounding(c->bounding);
}

static int become(const struct account *a, uint64_t bounding) {
        uint64_t permitted = 0;
        int r;

        /* Ours are none (main.c), so that a namespace that lets nobody change them leaves none. */
        if (syscall(SYS_setgroups, a->n_groups, a->groups) < 0 && (errno != EPERM || a->n_groups > 0))
                return -errno;
        if (syscall(SYS_setresgid, a->gid, a->gid, a->gid) < 0 || syscall(SYS_setresuid, a->uid, a->uid, a->uid) < 0)
                return -errno;
        r = get_permitted(&permitted);
        if (r < 0)
                return r;
        permitted = a->uid == 0 ? permitted & bounding : 0;
        return set_capabilities(permitted, permitted);
}

/* ---- the terminal ---- */

/* It is opened by the user, with no more rights than that one has, to whom it belongs then. The name may be anything: a link, a fifo,
 * another device. What counts is what was opened, and it is ours to use only when it is the kernel's multiplexer: number 5:2, in a
 * devpts or not. */
static int open_multiplexer(const char *path, int flags) {
        struct stat st;
        int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | flags);

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || major(st.st_rdev) != 5 || minor(st.st_rdev) != 2) {
                close(fd);
                return -ENOTTY;
        }
        return fd;
}

static int open_terminal(const struct session *s, int *ret_number) {
        struct winsize size = { .ws_row = s->rows, .ws_col = s->columns };
        int unlocked = 0, fd = open_multiplexer("/dev/pts/ptmx", O_NOFOLLOW);

        if (fd < 0) /* a link to the other one in many a machine, and then inside of it */
                fd = open_multiplexer("/dev/ptmx", 0);
        if (fd < 0)
                return fd;
        if (ioctl(fd, TIOCSPTLCK, &unlocked) < 0 || ioctl(fd, TIOCGPTN, ret_number) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        if (s->rows && s->columns)
                (void) ioctl(fd, TIOCSWINSZ, &size);
        (void) fcntl(fd, F_SETFL, O_RDWR);
        return fd;
}

static int attach(int terminal) {
        if (ioctl(terminal, TIOCSCTTY, 0) < 0)
                return -errno;
        for (int i = 0; i < 3; i++)
                if (dup2(terminal, i) < 0)
                        return -errno;
        return 0;
}

/* The unit opens the other end by its name. A shell's is held open meanwhile, so that nobody takes it for closed, and whoever asks for
 * the unit says there what went wrong. */
static int leave_to_unit(struct enter *e, int channel, int master, int number, const char *path) {
        int r = 0, terminal;

        units_name_terminal(e, number);
        if (e->session->kind == SESSION_SHELL) {
                terminal = terminal_open_peer(master, O_RDWR | O_NOCTTY);
                if (terminal < 0)
                        return terminal;
                if (dup2(terminal, STDOUT_FILENO) < 0 || dup2(terminal, STDERR_FILENO) < 0)
                        r = -errno;
                close(terminal);
        }
        if (r >= 0)
                r = report_send(channel, ENTER_REPORT_TERMINAL, 0, path, master);
        close(master);
        return r;
}

static int make_terminal(struct enter *e, int channel) {
        int number = 0, terminal, r, master = open_terminal(e->session, &number);
        char path[32];

        if (master < 0)
                return master;
        snprintf(path, sizeof(path), "/dev/pts/%d", number);
        if (e->session->kind == SESSION_PTY) {
                r = report_send(channel, ENTER_REPORT_TERMINAL, 0, path, master);
                _exit(r < 0);
        }
        if (e->by_unit)
                return leave_to_unit(e, channel, master, number, path);
        terminal = terminal_open_peer(master, O_RDWR);
        if (terminal < 0)
                return terminal;
        r = attach(terminal);
        if (r >= 0)
                r = report_send(channel, ENTER_REPORT_TERMINAL, 0, path, master);
        close(terminal);
        close(master);
        return r;
}

/* ---- the command ---- */

static void default_dispositions(void) {
        static const unsigned long by_default[4]; /* the kernel's struct sigaction: SIG_DFL, no flags, an empty mask */
        sigset_t none;

        for (int sig = 1; sig < _NSIG; sig++) /* those that the C library keeps to itself, too */
                (void) syscall(SYS_rt_sigaction, sig, by_default, NULL, _NSIG / 8);
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *path_variable(char *const *environment) {
        for (; environment && *environment; environment++)
                if (strncmp(*environment, "PATH=", 5) == 0)
                        return *environment + 5;
        return "";
}

static bool not_there(int error) {
        return error == -ENOENT || error == -ENOTDIR;
}

/* What execvp(3) does, but that a file which is no program is no script of a shell either: there may be none. Returns why not: of
 * several reasons the first that is not "not there". */
static int run_searched(const char *name, char **argv, char **environment) {
        const char *at = path_variable(environment);
        int first = -ENOENT;

        for (;;) {
                char path[PATH_BYTES];
                size_t n = strcspn(at, ":");
                int length = snprintf(path, sizeof(path), "%.*s%s%s", (int) n, at, n ? "/" : "./", name);

                if (length > 0 && (size_t) length < sizeof(path)) {
                        execve(path, argv, environment);
                        if (!not_there(-errno) && not_there(first))
                                first = -errno;
                }
                if (!at[n])
                        return first;
                at += n + 1;
        }
}

static int run(const struct program *p, char **environment) {
        if (!strchr(p->path, '/'))
                return run_searched(p->path, p->argv, environment);
        execve(p->path, p->argv, environment);
        return -errno;
}

static _Noreturn void refuse(const struct enter *e, int channel, const char *path, int error) {
        if (e->session->kind == SESSION_LOGIN)
                fail(channel, ENTER_EXIT_NOT_FOUND, "The machine has neither agetty, getty nor login", 0);
        if (!not_there(error))
                report_failed(channel, ENTER_EXIT_NOT_EXECUTABLE, "%.200s cannot be executed: %s.", path,
                              strerror(-error));
        else if (strchr(path, '/') && access(path, F_OK) == 0)
                report_failed(channel, ENTER_EXIT_NOT_FOUND,
                              "%.200s is there, but not the interpreter or loader that it needs.", path);
        else
                report_failed(channel, ENTER_EXIT_NOT_FOUND, "%.200s is not found in the machine.", path);
        _exit(1);
}

static _Noreturn void execute(const struct enter *e, int channel) {
        const struct program *p = e->programs;
        int r;

        default_dispositions();
        if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
                fail(channel, ENTER_EXIT_FAILURE, "Cannot close descriptors", -errno);
        for (;; p++) {
                r = run(p, e->environment);
                if (!not_there(r) || !p[1].path)
                        break;
        }
        refuse(e, channel, p->path, r);
}

static void change_directory(const struct enter *e, int channel) {
        if (chdir(e->directory) == 0)
                return;
        if (e->session->directory)
                report_failed(channel, ENTER_EXIT_FAILURE, "Cannot change to the directory %.200s in the machine: %s.",
                              e->directory, strerror(errno));
        else if (chdir("/") == 0)
                return;
        _exit(1);
}

/* The outer process takes us with it when it dies, unless we are to go on alone. The kernel forgets the wish when credentials
 * change, so this comes after that. */
static void depend(const struct enter *e, int channel) {
        struct pollfd outer = { .fd = channel };

        if (e->session->detach)
                return;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                fail(channel, ENTER_EXIT_FAILURE, "Cannot depend on the process outside", -errno);
        if (poll(&outer, 1, 0) < 0 || outer.revents)
                _exit(1);
}

_Noreturn void inside(struct enter *e, int channel) {
        int r;

        setsid();
        r = confine(e);
        if (r < 0)
                fail(channel, ENTER_EXIT_FAILURE, "Cannot confine the command as the machine is", r);
        r = become(&e->account, e->leader.confinement.bounding);
        if (r == -EINVAL) {
                report_failed(channel, ENTER_EXIT_FAILURE, "User %u or group %u is not mapped in the machine.",
                              e->account.uid, e->account.gid);
                _exit(1);
        }
        if (r < 0)
                fail(channel, ENTER_EXIT_FAILURE, "Cannot become the user", r);
        umask(0022);
        r = e->session->terminal ? make_terminal(e, channel) : 0;
        if (r < 0)
                fail(channel, ENTER_EXIT_FAILURE, "Cannot open a terminal in the machine", r);
        change_directory(e, channel);
        depend(e, channel);
        execute(e, channel);
}
