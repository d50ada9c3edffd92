/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says hello to the system bus inside of a container: what it answers begins with "OK".      inside-bus NAME */
#include <muster/muster.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
        static const char hello[] = "\0AUTH EXTERNAL 30\r\n"; /* 30 is "0", in hexadecimal: root of the container */
        char answer[256];
        ssize_t n;
        int fd;

        if (argc != 2)
                return 2;
        fd = muster_open_system_bus(argv[1]);
        if (fd < 0) {
                fprintf(stderr, "Cannot reach the bus: %s.\n", strerror(-fd));
                return 1;
        }
        n = write(fd, hello, sizeof(hello) - 1) < 0 ? -1 : read(fd, answer, sizeof(answer) - 1);
        close(fd);
        if (n < 0)
                return 1;
        answer[n] = '\0';
        fputs(answer, stdout);
        return strncmp(answer, "OK", 2) != 0;
}
