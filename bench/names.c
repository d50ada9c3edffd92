/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names as programs look them up: through libc and the modules for name services, without whatever else nsswitch.conf has. */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"

#define MODULE "libnss_mymachines.so.2"
#define NOBODYS_UID 4294900000U /* above those of all leaders */

/* Without the module every name would be unknown, fast. */
int begin_names(struct client *c) {
        if (!dlopen(MODULE, RTLD_NOW))
                return complain(c, -ENOENT, MODULE);
        return __nss_configure_lookup("hosts", "mymachines") < 0 || __nss_configure_lookup("passwd", c->users) < 0
                       ? complain(c, -EINVAL, "nsswitch")
                       : 0;
}

static int look_up(const char *name) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *all;

        if (getaddrinfo(name, NULL, &hints, &all) != 0)
                return 0;
        freeaddrinfo(all);
        return 1;
}

int once_host(struct client *c) {
        char name[32];

        machine_name(pick(c) % CREATED_MAX, name); /* the others share the host's network */
        return look_up(name) == 1 ? 0 : complain(c, -EBADMSG, name);
}

int once_no_host(struct client *c) {
        return look_up("nomachine") == 0 ? 0 : complain(c, -EBADMSG, "nomachine");
}

static int look_up_user(struct client *c, uid_t uid, const char *wanted) {
        struct passwd p, *result = NULL;
        char buffer[1024];

        if (getpwuid_r(uid, &p, buffer, sizeof(buffer), &result) != 0 || (result != NULL) != (wanted != NULL) ||
            (wanted && strcmp(p.pw_name, wanted) != 0))
                return complain(c, -EBADMSG, "getpwuid_r");
        return 0;
}

int once_user(struct client *c) {
        unsigned i = pick(c);
        char wanted[64];

        snprintf(wanted, sizeof(wanted), "vu-m%u-1000", i);
        return look_up_user(c, leader_uid(i, 1000), wanted);
}

int once_no_user(struct client *c) {
        return look_up_user(c, NOBODYS_UID + pick(c) % 1000, NULL);
}
