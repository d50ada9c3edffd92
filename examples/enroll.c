/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers a running process as a machine, asks it to end, and forgets it if it does not want to.      enroll NAME PID */
#include <muster/muster.h>

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *doing, int r) {
        fprintf(stderr, "Cannot %s the machine: %s.\n", doing, strerror(-r));
        return 1;
}

int main(int argc, char **argv) {
        struct pollfd leader = { .events = POLLIN };
        muster_machine *machine;
        char *end = NULL;
        long pid = argc == 3 ? strtol(argv[2], &end, 10) : 0;
        int r;

        if (pid <= 0 || pid > INT_MAX || *end) {
                fprintf(stderr, "Usage: %s NAME PID\n", argv[0]);
                return 2;
        }
        r = muster_register(argv[1], "container", (pid_t) pid, "example", NULL, NULL, 0);
        if (r < 0)
                return fail("register", r);
        r = muster_machine_get(argv[1], 0, &machine);
        if (r < 0)
                return fail("find", r);
        printf("%s is %s, registered by %s\n", muster_machine_name(machine), muster_machine_state(machine),
               muster_machine_service(machine));
        leader.fd = muster_machine_open_leader(machine); /* becomes readable when it has ended */
        muster_machine_free(machine);
        r = muster_kill(argv[1], "leader", SIGTERM);
        if (r < 0)
                return fail("signal", r);
        if (leader.fd >= 0 && poll(&leader, 1, 2000) > 0)
                puts("It has ended.");
        else if ((r = muster_unregister(argv[1])) < 0)
                return fail("forget", r);
        if (leader.fd >= 0)
                close(leader.fd);
        return 0;
}
