/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libmuster/call.h"

#include <errno.h>

#include "core/name.h"

void call_begin(struct call *c) {
        *c = (struct call){ .text = BUF_EMPTY };
        c->json = (struct json_text) JSON_TEXT(&c->text);
        json_text_begin_object(&c->json, NULL);
}

void call_done(struct call *c) {
        buf_done(&c->text);
}

int call_end(struct call *c) {
        json_text_end_object(&c->json);
        buf_append_char(&c->text, '\0');
        return buf_error(&c->text);
}

/* The edge: names of errors become numbers here, and only here. */
static const struct {
        const char *error;
        int number;
} errors[] = {
        { "io.systemd.Machine.NoSuchMachine", ENOENT },
        { "io.systemd.Machine.MachineExists", EEXIST },
        { "io.systemd.Machine.NoSuchUser", ENOENT },
        { "io.systemd.Machine.NoSuchGroup", ENOENT },
        { "io.systemd.Machine.UserInHostRange", ENOENT },
        { "io.systemd.Machine.GroupInHostRange", ENOENT },
        { "io.systemd.Machine.NotSupported", EOPNOTSUPP },
        { "io.systemd.Machine.NotAvailable", EOPNOTSUPP },
        { "org.varlink.service.PermissionDenied", EACCES },
        { "io.systemd.InteractiveAuthenticationRequired", EACCES },
        { "org.varlink.service.InvalidParameter", EINVAL },
        { "org.varlink.service.MethodNotFound", EOPNOTSUPP },
        { "org.varlink.service.MethodNotImplemented", EOPNOTSUPP },
        { "org.varlink.service.InterfaceNotFound", EOPNOTSUPP },
};

int answer_errno(const struct varlink_answer *answer) {
        if (!answer->error)
                return 0;
        for (size_t i = 0; i < ELEMENTS(errors); i++)
                if (streq(answer->error, errors[i].error))
                        return -errors[i].number;
        return answer->error_number > 0 ? -answer->error_number : -EREMOTEIO;
}

int call_registry(struct call *c, const char *method, struct varlink_answer *ret) {
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        AUTO(varlink_client_freep) struct varlink_client *client = NULL;
        int r = call_end(c);

        if (r >= 0)
                r = varlink_client_connect(RUN_DIRECTORY, VARLINK_CLIENT_TIMEOUT_MSEC, &client);
        if (r >= 0)
                r = varlink_client_call(client, method, c->text.data, &answer);
        if (r >= 0)
                r = answer_errno(&answer);
        if (r < 0)
                return r;
        if (ret) {
                *ret = answer;
                answer = VARLINK_ANSWER_EMPTY;
        }
        return 0;
}

int check_name(const char *name) {
        return name && machine_name_is_valid(name) ? 0 : -EINVAL;
}
