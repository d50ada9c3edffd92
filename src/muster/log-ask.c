/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenLog of org.muster.Machine1: they come on a socket that goes along with the call. */
#include "muster/log-ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "muster/connect.h"
#include "codec/json-text.h"
#include "sys/packet.h"

static int error_of(const struct varlink_answer *answer) {
        if (!answer->error)
                return 0;
        if (endswith(answer->error, ".PermissionDenied") ||
            endswith(answer->error, ".InteractiveAuthenticationRequired"))
                return -EACCES;
        return endswith(answer->error, ".MethodNotFound") ? -EACCES : -EIO; /* an older registry has nothing to offer */
}

static int call(const struct options *o, const char *machine, int socket) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&parameters);
        struct varlink_answer answer;
        int r;

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", machine);
        if (may_ask_password(o))
                json_text_bool(&j, "allowInteractiveAuthentication", true);
        json_text_end_object(&j);
        buf_append_char(&parameters, '\0');
        r = buf_error(&parameters);
        if (r >= 0)
                r = connect_registry(o, &c);
        if (r >= 0)
                r = varlink_client_send_fds(c, "org.muster.Machine1.OpenLog", parameters.data, &socket, 1);
        if (r >= 0)
                r = varlink_client_next(c, &answer);
        if (r < 0)
                return r;
        r = error_of(&answer);
        varlink_answer_done(&answer);
        return r;
}

int log_ask_registry(const struct options *o, const char *machine, int fds[static CONSOLE_LOGS_FILES_MAX],
                     size_t *ret_n) {
        AUTO_CLOSE int ours = -EBADF, theirs = -EBADF;
        size_t n = 0;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = pair[1];
        r = call(o, machine, theirs);
        if (r < 0)
                return r;
        close(STEAL_FD(theirs));
        while (n < CONSOLE_LOGS_FILES_MAX) {
                uint8_t age;

                if (packet_receive(ours, &age, sizeof(age), &fds[n]) <= 0)
                        break;
                n += fds[n] >= 0;
        }
        *ret_n = n;
        return 0;
}
