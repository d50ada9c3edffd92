/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In place of names.c, where libc has no modules for name services. */
#include <errno.h>

#include "client.h"

int begin_names(struct client *c) {
        return complain(c, -EOPNOTSUPP, "names");
}

int once_host(struct client *c) {
        return -EOPNOTSUPP;
}

int once_no_host(struct client *c) {
        return -EOPNOTSUPP;
}

int once_user(struct client *c) {
        return -EOPNOTSUPP;
}

int once_no_user(struct client *c) {
        return -EOPNOTSUPP;
}
