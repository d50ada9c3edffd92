/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sentences are client/failure-text.c's; this is where they come out. */
#include "muster/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "client/failure-text.h"

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

static int fail_with(int error, struct buf *sentence) {
        return error < 0 || buf_error(sentence) ? fail("Out of memory.") : fail("%s", sentence->data);
}

int fail_connection(const char *run_dir, int error) {
        AUTO_BUF struct buf sentence = BUF_EMPTY;

        return fail_with(failure_text_connection(run_dir, error, &sentence), &sentence);
}

int fail_answer(const struct varlink_answer *answer, const char *doing, const char *name) {
        AUTO_BUF struct buf sentence = BUF_EMPTY;

        return fail_with(failure_text_answer(answer, doing, name, &sentence), &sentence);
}

bool answer_is_denial(const struct varlink_answer *answer) {
        return answer->error && (streq(answer->error, "org.varlink.service.PermissionDenied") ||
                                 streq(answer->error, "io.systemd.InteractiveAuthenticationRequired") ||
                                 answer->error_number == EPERM || answer->error_number == EACCES);
}
