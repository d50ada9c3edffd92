/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/connect.h"

#include <unistd.h>

bool may_ask_password(const struct options *o) {
        return o->ask_password && geteuid() != 0 && isatty(STDIN_FILENO);
}

int answer_timeout_msec(const struct options *o) {
        return may_ask_password(o) ? -1 : VARLINK_CLIENT_TIMEOUT_MSEC;
}

int connect_registry(const struct options *o, struct varlink_client **ret) {
        int r = varlink_client_connect(o->run, VARLINK_CLIENT_TIMEOUT_MSEC, ret);

        if (r >= 0 && may_ask_password(o))
                varlink_client_wait_for_ever(*ret);
        return r;
}
