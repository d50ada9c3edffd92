/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an address to the machine that has it. Every address that some program wants a name for comes by here, and hardly one
 * is a machine's, so the kernel's routes are asked first: what is not on a link of this host is none. Machines behind that link, or
 * behind a port of that bridge, are candidates; their addresses are looked up as anybody would. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nss/ask.h"
#include "nss/machine-hosts.h"
#include "nss/records.h"
#include "nss/routes.h"

struct search {
        const struct nss_address *address;
        int64_t deadline;
        int routes;
        uint32_t link; /* that the address is on */
        char *name;
};

static bool is_behind(const struct search *s, const struct record_scan *record) {
        for (unsigned i = 0; i < record->n_interfaces; i++)
                if (record->interfaces[i] == s->link)
                        return true;
        for (unsigned i = 0; i < record->n_interfaces; i++) {
                uint32_t master;

                if (routes_master_of(s->routes, record->interfaces[i], &master) == 0 && master == s->link)
                        return true;
        }
        return false;
}

static int on_record(const char *name, const struct record_scan *record, void *userdata) {
        struct search *s = userdata;
        struct answer answer;
        int r;

        if (!record_is_heard(record) || !is_behind(s, record))
                return 0;
        r = machine_addresses(name, s->address->family, s->deadline, &answer);
        if (r == -ETIMEDOUT || r == -ENOENT || r == -EDEADLK)
                return r;
        if (r < 0) /* that of this machine only */
                return 0;
        for (unsigned i = 0; i < answer.addresses.n; i++) {
                const struct nss_address *a = answer.addresses.entries + i;

                if (a->family == s->address->family &&
                    memcmp(a->bytes, s->address->bytes, nss_address_size(a->family)) == 0) {
                        strcpy(s->name, name);
                        return 1;
                }
        }
        return 0;
}

int machine_of_address(const struct nss_address *address, int64_t deadline, char ret[static ANSWER_NAME_MAX + 1]) {
        struct search s = { .address = address, .deadline = deadline, .name = ret };
        int r;

        /* Every link has the same link-local addresses, and nobody tells us which one is meant. */
        if (!nss_address_is_usable(address->family, address->bytes) ||
            nss_address_is_link_local(address->family, address->bytes))
                return -ENOENT;
        if (access(RECORDS_DIRECTORY, F_OK) < 0)
                return -ENOENT;
        s.routes = routes_open();
        if (s.routes < 0)
                return -ENOENT;
        r = routes_interface_of(s.routes, address->family, address->bytes, &s.link);
        r = r < 0 ? -ENOENT : records_each(on_record, &s);
        close(s.routes);
        return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}
