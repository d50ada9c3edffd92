/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/connect.h"

#include <unistd.h>

bool may_ask_password(const struct options *o) {
        return o->ask_password && isatty(STDIN_FILENO);
}

/* Nobody who is root. Whoever is root only in a user namespace of his own hears of the limit. */
static bool may_take_long(const struct options *o) {
        return may_ask_password(o) && geteuid() != 0;
}

int answer_timeout_msec(const struct options *o) {
        return may_take_long(o) ? -1 : VARLINK_CLIENT_TIMEOUT_MSEC;
}

int connect_registry(const struct options *o, struct varlink_client **ret) {
        int r = varlink_client_connect(o->run, VARLINK_CLIENT_TIMEOUT_MSEC, ret);

        if (r >= 0 && may_take_long(o))
                varlink_client_wait_for_ever(*ret);
        return r;
}
