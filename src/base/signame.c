/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The numbers are written out: <signal.h>'s real-time ones are function calls, and base makes none. */
#include "base/signame.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"
#include "base/str.h"

static const char *const names[] = {
        [1] = "SIGHUP",   [2] = "SIGINT",     [3] = "SIGQUIT",  [4] = "SIGILL",     [5] = "SIGTRAP",  [6] = "SIGABRT",
        [7] = "SIGBUS",   [8] = "SIGFPE",     [9] = "SIGKILL",  [10] = "SIGUSR1",   [11] = "SIGSEGV", [12] = "SIGUSR2",
        [13] = "SIGPIPE", [14] = "SIGALRM",   [15] = "SIGTERM", [16] = "SIGSTKFLT", [17] = "SIGCHLD", [18] = "SIGCONT",
        [19] = "SIGSTOP", [20] = "SIGTSTP",   [21] = "SIGTTIN", [22] = "SIGTTOU",   [23] = "SIGURG",  [24] = "SIGXCPU",
        [25] = "SIGXFSZ", [26] = "SIGVTALRM", [27] = "SIGPROF", [28] = "SIGWINCH",  [29] = "SIGIO",   [30] = "SIGPWR",
        [31] = "SIGSYS",
};

const char *signal_to_string(int number) {
        return number > 0 && (size_t) number < sizeof(names) / sizeof(names[0]) ? names[number] : NULL;
}

/* What follows RTMIN or RTMAX: nothing, or the sign and a number. */
static int real_time(const char *rest, int base, char sign) {
        uint32_t offset = 0;
        int number;

        if (*rest) {
                if (*rest != sign || parse_u32(rest + 1, &offset) < 0 || offset > SIGNAL_NUMBER_MAX)
                        return -EINVAL;
        }
        number = sign == '+' ? base + (int) offset : base - (int) offset;
        return number >= SIGNAL_RT_MIN && number <= SIGNAL_NUMBER_MAX ? number : -EINVAL;
}

int signal_from_string(const char *s) {
        const char *rest, *name = startswith(s, "SIG");
        uint32_t number;

        if (parse_u32(s, &number) >= 0)
                return number >= 1 && number <= SIGNAL_NUMBER_MAX ? (int) number : -EINVAL;
        name = name ? name : s;
        for (int i = 1; (size_t) i < sizeof(names) / sizeof(names[0]); i++)
                if (streq(names[i] + 3, name))
                        return i;
        rest = startswith(name, "RTMIN");
        if (rest)
                return real_time(rest, SIGNAL_RT_MIN, '+');
        rest = startswith(name, "RTMAX");
        return rest ? real_time(rest, SIGNAL_NUMBER_MAX, '-') : -EINVAL;
}
