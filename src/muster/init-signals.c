/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One row per init. The executable decides, because argv[0] and comm are what the guest says of itself; they are looked at
 * where the executable is not readable or serves many purposes (busybox). A wrong guess can only send a guest a signal that
 * the caller may send it anyway. */
#include "muster/init-signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"

#define SIG_SYSTEMD (-4) /* SIGRTMIN+4: glibc makes SIGRTMIN a function call, no constant */

static const struct row {
        const char *program;
        bool applet; /* one executable for many commands: argv[0] or comm must say init */
        struct init_signals signals;
} rows[] = {
        /* systemd(1), "Signals" */
        { "systemd", false, { "systemd", SIG_SYSTEMD, SIGINT, false, NULL } },
        /* systemd-nspawn(1), --as-pid2: the stub takes the signals of systemd */
        { "(sd-stubinit)", false, { "systemd-nspawn stub", SIG_SYSTEMD, SIGINT, false, NULL } },
        /* openrc-init.c of OpenRC: SIGTERM runs the shutdown level, SIGINT the reboot level */
        { "openrc-init", false, { "openrc-init", SIGTERM, SIGINT, false, NULL } },
        /* runit(8) of Debian: PWR shuts down. The original knows only CONT with a flag file, and INT */
        { "runit", false, { "runit", SIGPWR, SIGINT, false, "a runit without SIGPWR needs `init 0` inside" } },
        { "runit-init", false, { "runit", SIGPWR, SIGINT, false, "a runit without SIGPWR needs `init 0` inside" } },
        /* s6-linux-init, "s6-linux-init-hpr" and the older s6-poweroff: USR1 powers off, USR2 halts, INT reboots */
        { "s6-svscan", false, { "s6", SIGUSR1, SIGINT, false, NULL } },
        /* dinit(8), "Signals" */
        { "dinit", false, { "dinit", SIGTERM, SIGINT, false, NULL } },
        /* Finit's doc/signals.md: those of busybox */
        { "finit", false, { "finit", SIGUSR2, SIGTERM, false, NULL } },
        /* signal.c of OpenWrt's procd */
        { "procd", false, { "procd", SIGUSR2, SIGTERM, false, NULL } },
        /* the messages of busybox' `init --help` and its init.c: USR1 halts, USR2 powers off, TERM reboots */
        { "busybox", true, { "busybox init", SIGUSR2, SIGTERM, false, NULL } },
        /* init(8) of sysvinit: INT is the ctrlaltdel entry, PWR the powerfail entries; neither need shut anything down */
        { "init",
          false,
          { "sysvinit", SIGPWR, SIGINT, true, "its /etc/inittab needs a powerfail entry that shuts down" } },
};

static const struct init_signals unknown = { "an unknown program", SIGTERM, SIGINT, false, NULL };

/* Length of the last component, " (deleted)" left out: what /proc shows after an upgrade inside the guest. */
static size_t last_component(const char *path, const char **ret) {
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        size_t n = strlen(name);
        const char *deleted = endswith(name, " (deleted)");

        *ret = name;
        return deleted ? (size_t) (deleted - name) : n;
}

static bool is_called(const char *path, const char *name) {
        const char *last;
        size_t n;

        if (isempty(path))
                return false;
        n = last_component(path, &last);
        return n == strlen(name) && strncmp(last, name, n) == 0;
}

static const struct row *find_row(const char *program) {
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (is_called(program, rows[i].program))
                        return rows + i;
        return NULL;
}

static const struct row *choose(const char *exe, const char *arg0, const char *comm) {
        const struct row *row = find_row(exe);

        if (row && row->applet && !is_called(arg0, "init") && !is_called(arg0, "linuxrc") && !is_called(comm, "init"))
                return NULL;
        /* The stub of nspawn runs the nspawn executable: only its name tells. */
        if (!row && (isempty(exe) || is_called(exe, "systemd-nspawn")))
                row = find_row(comm);
        return row;
}

struct init_signals init_signals_find(const char *exe, const char *arg0, const char *comm) {
        const struct row *row = choose(exe, arg0, comm);
        struct init_signals found = row ? row->signals : unknown;

        if (found.poweroff == SIG_SYSTEMD)
                found.poweroff = SIGRTMIN + 4;
        return found;
}
