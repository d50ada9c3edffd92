/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What machine is a process in, or a user of?      whose pid 1234      whose uid 200005 */
#include <muster/muster.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
        char *machine = NULL;
        uid_t inner = 0;
        int r = -1;

        if (argc == 3 && strcmp(argv[1], "pid") == 0)
                r = muster_pid_machine(atoi(argv[2]), &machine);
        else if (argc == 3 && strcmp(argv[1], "uid") == 0)
                r = muster_uid_machine((uid_t) atol(argv[2]), &machine, &inner);
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
