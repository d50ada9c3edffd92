/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which signals a first process gets, by what /proc tells of it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "muster/init-signals.h"

static void test_table(void **state) {
        const struct {
                const char *exe, *arg0, *comm, *init;
                int poweroff, reboot;
        } cases[] = {
                { "/usr/lib/systemd/systemd", "/sbin/init", "systemd", "systemd", SIGRTMIN + 4, SIGINT },
                { "/lib/systemd/systemd (deleted)", "/sbin/init", "systemd", "systemd", SIGRTMIN + 4, SIGINT },
                { "/usr/bin/systemd-nspawn", "systemd-nspawn", "(sd-stubinit)", "systemd-nspawn stub", SIGRTMIN + 4,
                  SIGINT },
                { "/sbin/init", "init [3]", "init", "sysvinit", SIGPWR, SIGINT },
                { "/sbin/openrc-init", "/sbin/init", "openrc-init", "openrc-init", SIGTERM, SIGINT },
                { "/sbin/runit", "runit", "runit", "runit", SIGPWR, SIGINT },
                { "/bin/s6-svscan", "s6-svscan", "s6-svscan", "s6", SIGUSR1, SIGINT },
                { "/bin/busybox", "/sbin/init", "init", "busybox init", SIGUSR2, SIGTERM },
                { "/bin/busybox", "linuxrc", "linuxrc", "busybox init", SIGUSR2, SIGTERM },
                { "/bin/busybox", "sh", "sh", "an unknown program", SIGTERM, SIGINT },
                { "/sbin/dinit", "init", "dinit", "dinit", SIGTERM, SIGINT },
                { "/sbin/finit", "init", "finit", "finit", SIGUSR2, SIGTERM },
                { "/sbin/procd", "procd", "procd", "procd", SIGUSR2, SIGTERM },
                { "/usr/bin/sleep", "systemd", "systemd", "an unknown program", SIGTERM, SIGINT },
                { NULL, NULL, "systemd", "systemd", SIGRTMIN + 4, SIGINT },
                { NULL, NULL, NULL, "an unknown program", SIGTERM, SIGINT },
                { "", "", "", "an unknown program", SIGTERM, SIGINT },
                { "/", "/", "/", "an unknown program", SIGTERM, SIGINT },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const struct init_signals s = init_signals_find(cases[i].exe, cases[i].arg0, cases[i].comm);

                assert_string_equal(s.init, cases[i].init);
                assert_int_equal(s.poweroff, cases[i].poweroff);
                assert_int_equal(s.reboot, cases[i].reboot);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
