/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second process. It becomes part of the machine while it is not yet to be seen there: to enter a pid namespace means to fork,
 * and only the child of that is inside. So whoever of the machine looks at that child finds one whose root, namespaces and
 * descriptors are the machine's already: there is nothing of the host to be taken from it (CVE-2016-8649, CVE-2024-21626). */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "muster-enter/enter.h"

#define CHANNEL 3 /* the one descriptor beside the standard ones that goes in */

static _Noreturn void fail(int channel, const struct diag *d, int error) {
        report_failed(channel, ENTER_EXIT_FAILURE, "%s", *d->text ? d->text : strerror(-error));
        _exit(1);
}

/* The child of our parent, who is the one that waits for it. */
static pid_t clone_inner(void) {
        struct clone_args args = { .flags = CLONE_PARENT };
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));

        return pid < 0 ? -errno : pid;
}

_Noreturn void join(struct enter *e) {
        struct diag d = { 0 };
        int channel = e->channel[1];
        int32_t pid;
        int r;

        r = leader_join_cgroups(&e->leader, &d);
        if (r >= 0)
                r = leader_take_traits(&e->leader, &d);
        if (r >= 0)
                r = leader_join_namespaces(&e->leader, &d);
        if (r < 0)
                fail(channel, &d, r);
        if (channel != CHANNEL && dup2(channel, CHANNEL) < 0)
                fail(channel, &d, -errno);
        /* What stays open are the command's own and the channel. */
        if (syscall(SYS_close_range, CHANNEL + 1, ~0U, 0) < 0)
                fail(CHANNEL, &d, -errno);
        pid = (int32_t) clone_inner();
        if (pid == 0)
                inside(e, CHANNEL);
        if (pid == -EAGAIN)
                diag_set(&d, pid, NULL, "The machine has no room for another process: its limit is reached.");
        else if (pid < 0)
                diag_set(&d, pid, NULL, "Cannot start a process in the machine: %s.", strerror(-pid));
        if (pid < 0)
                fail(CHANNEL, &d, pid);
        (void) send(CHANNEL, &pid, sizeof(pid), MSG_NOSIGNAL);
        _exit(0);
}
