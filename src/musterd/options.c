/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "musterd/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

#include "base/parse.h"
#include "base/str.h"
#include "core/name.h"
#include "musterd/log-sink.h"

#define EVENTS_MIN 16
#define EVENTS_MAX 65536

static const char help_text[] =
        "Usage: musterd [OPTION...]\n"
        "\n"
        "The registry of this host's machines (containers and virtual machines), on D-Bus and Varlink.\n"
        "\n"
        "  --backend=BACKEND        who makes scopes: systemd, cgroup (we do), or auto: systemd where it is PID 1\n"
        "  --scope-manager          without systemd: also serve what clients of org.freedesktop.systemd1 need for "
        "scopes\n"
        "  --bus=auto|no            use the D-Bus system bus when there is one (auto), or never (no)\n"
        "  --run=DIR                run-time directory instead of /run, for tests\n"
        "  --helper=PATH            the muster-helper program to use\n"
        "  --stop-timeout=TIME      how long a terminated machine may take before it is killed (10s)\n"
        "  --max-events=N           how many of the newest events are kept for readers (4096)\n"
        "  --log-level=LEVEL        emerg, alert, crit, err, warning, notice, info (default) or debug\n"
        "  --log-target=TARGET      auto (default), console, journal, syslog, kmsg or null\n"
        "  --ready-fd=FD            write a newline to this descriptor when up (s6, dinit)\n"
        "  -h, --help               show this text\n"
        "      --version            show the version\n"
        "\n"
        "See musterd(8).\n";

enum {
        OPT_BACKEND = 256,
        OPT_SCOPE_MANAGER,
        OPT_BUS,
        OPT_RUN,
        OPT_HELPER,
        OPT_STOP_TIMEOUT,
        OPT_MAX_EVENTS,
        OPT_LOG_LEVEL,
        OPT_LOG_TARGET,
        OPT_READY_FD,
        OPT_VERSION
};

static const struct option long_options[] = {
        { "backend", required_argument, NULL, OPT_BACKEND },
        { "scope-manager", no_argument, NULL, OPT_SCOPE_MANAGER },
        { "bus", required_argument, NULL, OPT_BUS },
        { "run", required_argument, NULL, OPT_RUN },
        { "helper", required_argument, NULL, OPT_HELPER },
        { "stop-timeout", required_argument, NULL, OPT_STOP_TIMEOUT },
        { "max-events", required_argument, NULL, OPT_MAX_EVENTS },
        { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
        { "log-target", required_argument, NULL, OPT_LOG_TARGET },
        { "ready-fd", required_argument, NULL, OPT_READY_FD },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, OPT_VERSION },
        { NULL, 0, NULL, 0 },
};

static int wrong(const char *option, const char *value, const char *right) {
        fprintf(stderr, "musterd: --%s=%s: must be %s.\n", option, value, right);
        return -EINVAL;
}

static int conflict(const char *reason) {
        fprintf(stderr, "musterd: --scope-manager cannot be used: %s.\n", reason);
        return -EINVAL;
}

static int set_ready_fd(const char *value, struct options *o) {
        uint32_t fd;

        if (parse_u32(value, &fd) < 0 || fd < 3 || fcntl((int) fd, F_SETFD, FD_CLOEXEC) < 0)
                return wrong("ready-fd", value, "the number of an open descriptor from 3 on");
        o->ready_fd = (int) fd;
        return 0;
}

static int set_backend(const char *value, struct options *o) {
        static const char *const names[_BACKEND_MAX] = {
                [BACKEND_AUTO] = "auto",
                [BACKEND_SYSTEMD] = "systemd",
                [BACKEND_CGROUP] = "cgroup",
        };

        for (int i = 0; i < _BACKEND_MAX; i++)
                if (streq(names[i], value)) {
                        o->backend = (enum backend) i;
                        return 0;
                }
        return wrong("backend", value, "auto, systemd or cgroup");
}

static int set_option(int c, const char *value, struct options *o) {
        switch (c) {
        case OPT_BACKEND:
                return set_backend(value, o);
        case OPT_SCOPE_MANAGER:
                o->scope_manager = true;
                return 0;
        case OPT_BUS:
                if (!streq(value, "auto") && !streq(value, "no"))
                        return wrong("bus", value, "auto or no");
                o->bus = streq(value, "auto");
                return 0;
        case OPT_RUN:
        case OPT_HELPER:
                if (!path_is_absolute_and_valid(value))
                        return wrong(c == OPT_RUN ? "run" : "helper", value, "an absolute path");
                *(c == OPT_RUN ? &o->run : &o->helper) = value;
                return 0;
        case OPT_STOP_TIMEOUT:
                if (parse_usec(value, &o->stop_timeout_usec) < 0 || o->stop_timeout_usec == 0)
                        return wrong("stop-timeout", value, "a time above zero, such as 10s or 2min");
                return 0;
        case OPT_MAX_EVENTS:
                if (parse_u32(value, &o->max_events) < 0 || o->max_events < EVENTS_MIN || o->max_events > EVENTS_MAX)
                        return wrong("max-events", value, "a number from 16 to 65536");
                return 0;
        case OPT_LOG_LEVEL:
                return log_sink_set_level(value) < 0 ? wrong("log-level", value, "one of the levels that --help lists")
                                                     : 0;
        case OPT_LOG_TARGET:
                return log_sink_set_target(value) < 0
                               ? wrong("log-target", value, "one of the targets that --help lists")
                               : 0;
        case OPT_READY_FD:
                return set_ready_fd(value, o);
        case OPT_VERSION:
                puts("musterd " MUSTER_VERSION);
                return 1;
        case 'h':
                fputs(help_text, stdout);
                return 1;
        default:
                fputs("Try 'musterd --help'.\n", stderr);
                return -EINVAL;
        }
}

int options_parse(int argc, char **argv, struct options *ret) {
        int c, r;

        *ret = (struct options){
                .bus = true,
                .run = "/run",
                .helper = HELPER_PATH,
                .stop_timeout_usec = 10000000,
                .max_events = 4096,
                .ready_fd = -EBADF,
        };
        while ((c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
                r = set_option(c, optarg, ret);
                if (r != 0)
                        return r;
        }
        if (optind < argc) {
                fprintf(stderr, "musterd: '%s' is one argument too many: musterd takes only options.\n", argv[optind]);
                return -EINVAL;
        }
        if (ret->scope_manager && ret->backend == BACKEND_SYSTEMD)
                return conflict("systemd manages the scopes with --backend=systemd");
        if (ret->scope_manager && !ret->bus)
                return conflict("its clients come by the D-Bus bus, which --bus=no rules out");
        return 0;
}
