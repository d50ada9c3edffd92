/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What machines are there, and what are their addresses?      cc list.c $(pkg-config --cflags --libs muster) */
#include <muster/muster.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void print(const muster_machine *m) {
        const char *os = muster_machine_os_release(m, "ID");

        printf("%s %s %d %s", muster_machine_name(m), muster_machine_class(m), (int) muster_machine_leader(m),
               os ? os : "-");
        for (size_t i = 0; i < muster_machine_addresses_count(m); i++) {
                char text[INET6_ADDRSTRLEN];
                unsigned char bytes[16];
                int family;

                if (muster_machine_address(m, i, &family, bytes, NULL) > 0)
                        printf(" %s", inet_ntop(family, bytes, text, sizeof(text)));
        }
        putchar('\n');
}

int main(void) {
        muster_machines *machines;
        int r = muster_machines_list(MUSTER_METADATA, &machines);

        if (r < 0)
                r = muster_machines_list(0, &machines); /* we may not look inside, or no registry runs */
        if (r < 0) {
                fprintf(stderr, "Cannot list machines: %s.\n", strerror(-r));
                return 1;
        }
        for (size_t i = 0; i < muster_machines_count(machines); i++)
                print(muster_machines_get(machines, i));
        muster_machines_free(machines);
        return 0;
}
