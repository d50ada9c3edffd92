/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A leader is a fork of ours in namespaces of its own. Nothing is executed: ten thousand of them are to fit on a small host. */
#include "leaders.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_UID UINT32_C(0x80000)
#define FIRST_ADDRESS UINT32_C(0x0a400000) /* 10.64.0.0 */

uint32_t leader_uid(unsigned number, uint32_t inner) {
        return FIRST_UID + number * LEADER_IDS + inner;
}

/* The loopback device is the only one that every new network namespace has; its address is global all the same. */
static int set_address(unsigned number) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(FIRST_ADDRESS + number) };
        struct ifreq request = { .ifr_name = "lo" };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

        if (fd < 0)
                return -errno;
        memcpy(&request.ifr_addr, &address, sizeof(address));
        if (ioctl(fd, SIOCSIFADDR, &request) < 0)
                r = -errno;
        request.ifr_flags = IFF_UP;
        if (r >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                r = -errno;
        close(fd);
        return r;
}

static void __attribute__((noreturn)) lead(const struct leader_wish *wish, int ready_fd) {
        int r = 0;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "bench-leader");
        if (wish->network)
                r = set_address(wish->number);
        if (write(ready_fd, &r, sizeof(r)) != sizeof(r) || r < 0)
                _exit(1);
        close_range(0, ~0U, 0);
        for (;;)
                pause();
}

static int write_map(pid_t pid, const char *kind, unsigned number) {
        char path[64], text[64];
        int fd, n, r = 0;

        snprintf(path, sizeof(path), "/proc/%d/%s_map", (int) pid, kind);
        n = snprintf(text, sizeof(text), "0 %u %u\n", leader_uid(number, 0), LEADER_IDS);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (write(fd, text, (size_t) n) < 0)
                r = -errno;
        close(fd);
        return r;
}

static int clone_into(const struct leader_wish *wish) {
        struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };

        if (wish->network)
                args.flags |= CLONE_NEWNET;
        if (wish->cgroup_fd >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) wish->cgroup_fd;
        }
        return (int) syscall(SYS_clone3, &args, sizeof(args));
}

int leader_start(const struct leader_wish *wish, pid_t *ret) {
        int ready[2], told = -ECHILD, r;
        pid_t pid;

        if (pipe2(ready, O_CLOEXEC) < 0)
                return -errno;
        pid = clone_into(wish);
        if (pid == 0)
                lead(wish, ready[1]);
        r = pid < 0 ? -errno : 0;
        close(ready[1]);
        if (r >= 0)
                r = write_map(pid, "uid", wish->number);
        if (r >= 0)
                r = write_map(pid, "gid", wish->number);
        if (r >= 0 && read(ready[0], &told, sizeof(told)) != sizeof(told))
                told = -ECHILD;
        close(ready[0]);
        if (r >= 0)
                r = told;
        if (r < 0) {
                leader_end(pid);
                return r;
        }
        *ret = pid;
        return 0;
}

void leader_end(pid_t pid) {
        if (pid <= 0)
                return;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}
