/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Terminals of machines for clients of the bus: the answer is the master. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-internal.h"

static int reply_opened(struct dbus_call *call) {
        const struct opened *opened = call->request->opened;

        return sd_bus_reply_method_return(call->message, "hs", opened->fd, opened->path); /* which duplicates it */
}

static int read_shell(sd_bus_message *m, struct session *s) {
        AUTO(strv_freep) char **words = NULL;
        const char *user, *path;
        int r;

        r = sd_bus_message_read(m, "ss", &user, &path);
        if (r >= 0)
                r = sd_bus_message_read_strv(m, &words);
        if (r >= 0)
                r = sd_bus_message_read_strv(m, &s->environment);
        if (r >= 0)
                r = str_replace(&s->user, user);
        return r < 0 ? r : session_set_program(s, path, words);
}

int dbus_open(struct dbus *d, sd_bus_message *m, enum verb verb, const char *name, sd_bus_error *error) {
        enum session_kind kind = verb == VERB_OPEN_PTY     ? SESSION_PTY
                                 : verb == VERB_OPEN_LOGIN ? SESSION_LOGIN
                                                           : SESSION_SHELL;
        AUTO(request_unrefp) struct request *q = NULL;
        int r;

        r = request_new(d->service, verb, &q);
        if (r >= 0)
                r = session_new(kind, &q->session);
        if (r >= 0 && kind == SESSION_SHELL)
                r = read_shell(m, q->session);
        if (r < 0)
                return r;
        q->session->terminal = q->session->detach = true;
        q->name = strdup(name);
        if (!q->name)
                return -ENOMEM;
        return dbus_submit(d, m, STEAL(q), reply_opened);
}
