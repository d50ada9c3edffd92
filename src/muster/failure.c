/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error names of the interface become sentences here, and only here. */
#include "muster/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

int fail(const char *format, ...) {
        va_list arguments;

        fflush(stdout); /* keep the order of what was printed before */
        fputs("muster: ", stderr);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        return EXIT_FAILURE;
}

int fail_connection(const char *run_dir, int error) {
        switch (error) {
        case -EHOSTDOWN:
                return fail("No registry is running: nothing listens on %s/systemd/machine/io.systemd.Machine. Start "
                            "musterd "
                            "first.",
                            run_dir);
        case -ETIMEDOUT:
                return fail("The registry did not answer in time.");
        case -ECONNRESET:
                return fail("The registry closed the connection before it answered.");
        case -EBADMSG:
        case -EMSGSIZE:
                return fail("The registry gave an answer that makes no sense.");
        case -EACCES:
                return fail("No permission to talk to the registry at %s/systemd/machine/io.systemd.Machine.", run_dir);
        default:
                return fail("Cannot talk to the registry: %s.", strerror(-error));
        }
}

/* %s: what was tried, on which machine. */
static const struct {
        const char *error;
        const char *sentence;
} sentences[] = {
        { "io.systemd.Machine.NoSuchMachine", "Cannot %s: there is no machine of that name." },
        { "io.systemd.Machine.MachineExists", "Cannot %s: that name, or that leader process, is taken already." },
        { "io.systemd.Machine.NotSupported", "Cannot %s: that is not possible with this machine." },
        { "io.systemd.Machine.NoPrivateNetworking", "Cannot %s: it has no network of its own." },
        { "io.systemd.Machine.NoOSReleaseInformation", "Cannot %s: it has no os-release file." },
        { "io.systemd.Machine.NoUIDShift", "Cannot %s: its users are not shifted in one block." },
        { "io.systemd.Machine.NotAvailable", "Cannot %s: not available for this class of machine." },
        { "org.varlink.service.PermissionDenied", "Cannot %s: permission denied; try as root." },
        { "io.systemd.InteractiveAuthenticationRequired",
          "Cannot %s: permission denied; polkit wants a password and nobody could be asked." },
        { "org.varlink.service.MethodNotImplemented", "Cannot %s: this registry cannot do that yet." },
        { "org.varlink.service.MethodNotFound", "Cannot %s: this registry does not know how." },
};

static int fail_number(int number, const char *tried) {
        if (number == ESRCH)
                return fail("Cannot %s: the process is not there (any more).", tried);
        if (number == EPERM || number == EACCES)
                return fail("Cannot %s: permission denied; try as root.", tried);
        return fail("Cannot %s: %s.", tried, strerror(number));
}

int fail_answer(const struct varlink_answer *answer, const char *doing, const char *name) {
        AUTO_FREE char *safe_name = str_escape(strempty(name), 256), *error = str_escape(strempty(answer->error), 128);
        AUTO_FREE char *parameter = str_escape(strempty(answer->parameter), 64), *tried = NULL;

        if (!safe_name || !error || !parameter)
                return fail("Out of memory.");
        if ((name ? asprintf(&tried, "%s \"%s\"", doing, safe_name) : asprintf(&tried, "%s", doing)) < 0) {
                tried = NULL;
                return fail("Out of memory.");
        }
        for (size_t i = 0; i < ELEMENTS(sentences); i++)
                if (streq(sentences[i].error, error)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                        return fail(sentences[i].sentence, tried);
#pragma GCC diagnostic pop
                }
        if (answer->error_number > 0)
                return fail_number(answer->error_number, tried);
        if (streq(error, "org.varlink.service.InvalidParameter"))
                return fail("Cannot %s: the registry does not accept the value of \"%s\".", tried, parameter);
        return fail("Cannot %s: the registry answered %s.", tried, error);
}

bool answer_is_denial(const struct varlink_answer *answer) {
        return answer->error && (streq(answer->error, "org.varlink.service.PermissionDenied") ||
                                 streq(answer->error, "io.systemd.InteractiveAuthenticationRequired") ||
                                 answer->error_number == EPERM || answer->error_number == EACCES);
}
