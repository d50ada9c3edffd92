/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints what happens to machines, also while the registry is restarted. */
#include <muster/muster.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

int main(void) {
        muster_monitor *monitor;
        const char *kind, *machine;
        int r = muster_monitor_new(&monitor);

        if (r < 0) {
                fprintf(stderr, "Cannot watch machines: %s.\n", strerror(-r));
                return 1;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        puts("watching");
        do {
                struct pollfd p = { .fd = muster_monitor_fd(monitor), .events = POLLIN };

                poll(&p, 1, -1);
                while ((r = muster_monitor_next(monitor, &kind, &machine)) > 0)
                        printf("%s %s\n", kind, machine ? machine : "");
        } while (r == 0 && !ferror(stdout));
        muster_monitor_free(monitor);
        return 1;
}
