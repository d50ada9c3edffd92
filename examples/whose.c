/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What machine is a process in, or a user of?      whose pid 1234      whose uid 200005 */
#include <muster/muster.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -1: no such number; strtoul(3) would take a minus and spaces, too. */
static long number(const char *text) {
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        return *text >= '0' && *text <= '9' && !*end && n < 4294967295UL ? (long) n : -1;
}

int main(int argc, char **argv) {
        char *machine = NULL;
        uid_t inner = 0;
        long n = argc == 3 ? number(argv[2]) : -1;
        int r;

        if (n > 0 && n <= INT_MAX && strcmp(argv[1], "pid") == 0)
                r = muster_pid_machine((pid_t) n, &machine);
        else if (n >= 0 && strcmp(argv[1], "uid") == 0)
                r = muster_uid_machine((uid_t) n, &machine, &inner);
        else {
                fprintf(stderr, "Usage: %s pid|uid NUMBER\n", argv[0]);
                return 2;
        }
        if (r < 0) {
                fprintf(stderr, "%s\n", strerror(-r));
                return 1;
        }
        printf("%s %u\n", machine, (unsigned) inner);
        muster_free(machine);
        return 0;
}
