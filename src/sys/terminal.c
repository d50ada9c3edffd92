/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes are made at once (TCSANOW): waiting for output to drain would hang on a terminal that was stopped with ^S. */
#include "sys/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int terminal_open_peer(int master, int flags) {
        int fd = ioctl(master, TIOCGPTPEER, flags | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? -errno : fd;
}

bool terminal_is_foreground(int fd) {
        pid_t group = tcgetpgrp(fd);

        return group < 0 || group == getpgrp(); /* an error: it does not control us, so it does not stop us */
}

int terminal_set_raw(int fd, const struct termios *saved) {
        struct termios raw = *saved;

        cfmakeraw(&raw);
        return tcsetattr(fd, TCSANOW, &raw) < 0 ? -errno : 0;
}

int terminal_set_raw_output(int fd) {
        struct termios modes;

        if (tcgetattr(fd, &modes) < 0)
                return -errno;
        modes.c_oflag &= ~(tcflag_t) OPOST;
        return tcsetattr(fd, TCSANOW, &modes) < 0 ? -errno : 0;
}

int terminal_restore(int fd, const struct termios *saved) {
        sigset_t ttou, old;
        int r;

        sigemptyset(&ttou);
        sigaddset(&ttou, SIGTTOU);
        sigprocmask(SIG_BLOCK, &ttou, &old); /* blocked, it does not stop us (tcsetattr(3p)) */
        r = tcsetattr(fd, TCSANOW, saved) < 0 ? -errno : 0;
        sigprocmask(SIG_SETMASK, &old, NULL);
        return r;
}

int terminal_copy_size(int from, int to) {
        struct winsize size;

        if (ioctl(from, TIOCGWINSZ, &size) < 0 || ioctl(to, TIOCSWINSZ, &size) < 0)
                return -errno;
        return 0;
}
