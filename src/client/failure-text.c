/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error names of the interface become sentences here, and only here. */
#include "client/failure-text.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "core/access.h"

int failure_text_connection(const char *run_dir, int error, struct buf *out) {
        switch (error) {
        case -EHOSTDOWN:
                return buf_printf(out,
                                  "No registry is running: nothing listens on %s/systemd/machine/io.systemd.Machine. "
                                  "Start musterd first.",
                                  run_dir);
        case -ETIMEDOUT:
                return buf_append_str(out, "The registry did not answer in time.");
        case -ECONNRESET:
                return buf_append_str(out, "The registry closed the connection before it answered.");
        case -EBADMSG:
        case -EMSGSIZE:
                return buf_append_str(out, "The registry gave an answer that makes no sense.");
        case -EACCES:
                return buf_printf(out,
                                  "No permission to talk to the registry at %s/systemd/machine/io.systemd.Machine.",
                                  run_dir);
        default:
                return buf_printf(out, "Cannot talk to the registry: %s.", strerror(-error));
        }
}

/* Behind "Cannot terminate "web": ". */
static const struct {
        const char *error;
        const char *reason;
} reasons[] = {
        { "io.systemd.Machine.NoSuchMachine", "there is no machine of that name" },
        { "io.systemd.Machine.MachineExists", "that name, or that leader process, is taken already" },
        { "io.systemd.Machine.NotSupported", "that is not possible with this machine" },
        { "io.systemd.Machine.NoPrivateNetworking", "it has no network of its own" },
        { "io.systemd.Machine.NoOSReleaseInformation", "it has no os-release file" },
        { "io.systemd.Machine.NoUIDShift", "its users are not shifted in one block" },
        { "io.systemd.Machine.NotAvailable", "not available for this class of machine" },
        { "io.systemd.Machine.NoSuchUser", "no machine has that user" },
        { "io.systemd.Machine.NoSuchGroup", "no machine has that group" },
        { "io.systemd.Machine.UserInHostRange", "numbers below 65536 belong to the host" },
        { "io.systemd.Machine.GroupInHostRange", "numbers below 65536 belong to the host" },
        { "org.varlink.service.MethodNotImplemented", "this registry cannot do that yet" },
        { "org.varlink.service.MethodNotFound", "this registry does not know how" },
};

/* What was refused, as `doing` says it. */
static const struct {
        const char *doing;
        enum verb verb;
} verbs[] = {
        { "register", VERB_REGISTER },
        { "create a scope for", VERB_CREATE },
        { "kill", VERB_KILL },
        { "terminate", VERB_TERMINATE },
        { "power off", VERB_KILL },
        { "reboot", VERB_KILL },
        { "unregister", VERB_UNREGISTER },
};

/* The error itself has no room for what would help. */
static int append_denial(const char *doing, bool password, struct buf *out) {
        const char *action = NULL;

        for (size_t i = 0; i < ELEMENTS(verbs) && !action; i++)
                if (streq(verbs[i].doing, doing))
                        action = access_rule(verbs[i].verb)->action;
        buf_append_str(out, "permission denied");
        if (password)
                buf_append_str(out, ": polkit wants a password and nobody could be asked");
        return action ? buf_printf(out,
                                   "; only root, or who is granted the polkit action %s, may do this: use sudo or "
                                   "pkexec, or make a rule (polkit(8)).",
                                   action)
                      : buf_append_str(out, "; try as root.");
}

static int append_errno(int number, const char *doing, struct buf *out) {
        if (number == ESRCH)
                return buf_append_str(out, "the process is not there (any more).");
        if (number == EEXIST)
                return buf_append_str(out, "its leader process, or its unit, belongs to another machine already.");
        if (number == EPERM || number == EACCES)
                return append_denial(doing, false, out);
        return buf_printf(out, "%s.", strerror(number));
}

int failure_text_answer(const struct varlink_answer *answer, const char *doing, const char *name, struct buf *out) {
        AUTO_FREE char *safe_name = str_escape(strempty(name), 256), *error = str_escape(strempty(answer->error), 128);
        AUTO_FREE char *parameter = str_escape(strempty(answer->parameter), 64);

        if (!safe_name || !error || !parameter)
                return -ENOMEM;
        if (name)
                buf_printf(out, "Cannot %s \"%s\": ", doing, safe_name);
        else
                buf_printf(out, "Cannot %s: ", doing);
        for (size_t i = 0; i < ELEMENTS(reasons); i++)
                if (streq(reasons[i].error, error))
                        return buf_printf(out, "%s.", reasons[i].reason);
        if (streq(error, "org.varlink.service.PermissionDenied"))
                return append_denial(doing, false, out);
        if (streq(error, "io.systemd.InteractiveAuthenticationRequired"))
                return append_denial(doing, true, out);
        if (answer->error_number > 0)
                return append_errno(answer->error_number, doing, out);
        if (streq(error, "org.varlink.service.InvalidParameter"))
                return buf_printf(out, "the registry does not accept the value of \"%s\".", parameter);
        return buf_printf(out, "the registry answered %s.", error);
}
