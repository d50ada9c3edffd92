/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changes something: the registry decides who may. */
#include <muster/muster.h>

#include <errno.h>

#include "client/register-call.h"
#include "libmuster/call.h"
#include "sys/pidfd.h"

#define INTERFACES_MAX 4096

EXPORT int muster_register(const char *name, const char *machine_class, pid_t leader, const char *service,
                           const char *root_directory, const int *interfaces, size_t n_interfaces) {
        AUTO(varlink_client_freep) struct varlink_client *client = NULL;
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        AUTO(pidref_done) struct pidref p = PIDREF_EMPTY;
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        const struct register_call call = { .name = name,
                                            .class = machine_class,
                                            .leader = &p,
                                            .service = service,
                                            .root_directory = root_directory,
                                            .ifindices = (const unsigned *) interfaces,
                                            .n_ifindices = interfaces ? n_interfaces : 0 };
        int r = check_name(name);

        for (size_t i = 0; interfaces && i < n_interfaces; i++)
                if (interfaces[i] <= 0)
                        return -EINVAL;
        if (r < 0 || leader < 0 || n_interfaces > INTERFACES_MAX)
                return -EINVAL;
        r = pidref_open(leader ? leader : getpid(), &p);
        if (r >= 0)
                r = register_call_encode(&call, &parameters);
        if (r >= 0)
                r = varlink_client_connect(RUN_DIRECTORY, VARLINK_CLIENT_TIMEOUT_MSEC, &client);
        if (r >= 0)
                r = varlink_client_call(client, "io.systemd.Machine.Register", parameters.data, &answer);
        return r < 0 ? r : answer_errno(&answer);
}

static int call_about(const char *method, const char *name, const char *whom, int signal) {
        AUTO_CALL struct call c;

        call_begin(&c);
        json_text_string(&c.json, "name", name);
        json_text_string_if(&c.json, "whom", whom);
        if (signal)
                json_text_signed(&c.json, "signal", signal);
        return call_registry(&c, method, NULL);
}

EXPORT int muster_unregister(const char *name) {
        return check_name(name) < 0 ? -EINVAL : call_about("io.systemd.Machine.Unregister", name, NULL, 0);
}

EXPORT int muster_terminate(const char *name) {
        return check_name(name) < 0 ? -EINVAL : call_about("io.systemd.Machine.Terminate", name, NULL, 0);
}

EXPORT int muster_kill(const char *name, const char *whom, int signal) {
        if (check_name(name) < 0 || signal <= 0)
                return -EINVAL;
        return call_about("io.systemd.Machine.Kill", name, whom ? whom : "all", signal);
}
