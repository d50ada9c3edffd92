/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* musterd: the registry daemon. This file wires the parts together and runs the loop:
 *
 *   options.c   command line                          host.c        the record of ".host"
 *   log-sink.c  where log lines go                    read-ahead.c  user maps, read when there is time
 *   backend/    process (pidfds), supervisor-cgroup or supervisor-systemd, store-files, event-file, helper, enter, transfer,
 *               auth-polkit: the ports of core/ports.h
 *   service/    what each request means
 *   ipc/        the doors: varlink-server.c, dbus-server.c
 *
 * Start: bind the Varlink socket (which makes sure that we are alone), load the records, connect to the bus, say ready. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "backend/auth-polkit.h"
#include "backend/console-log-files.h"
#include "backend/enter.h"
#include "backend/event-file.h"
#include "backend/helper.h"
#include "backend/images.h"
#include "backend/process.h"
#include "backend/scopes-cgroup.h"
#include "backend/store-files.h"
#include "backend/supervisor-cgroup.h"
#include "backend/supervisor-systemd.h"
#include "backend/transfer.h"
#include "base/log.h"
#include "ipc/dbus-server.h"
#include "ipc/varlink-server.h"
#include "musterd/host.h"
#include "musterd/log-sink.h"
#include "musterd/options.h"
#include "musterd/read-ahead.h"
#include "service/service.h"

#define DESCRIPTORS 65536 /* as the service files ask for */

struct daemon {
        struct options options;
        sd_event *event;
        struct process *process;
        struct process_port process_port; /* lent to the supervisor */
        struct helper *helper;
        struct enter *enter;
        struct transfers *transfers;
        struct supervisor_cgroup *cgroup; /* one of the two */
        struct supervisor_systemd *systemd;
        struct store_files *store;
        struct event_file *events;
        struct auth_polkit *auth;
        struct service *service;
        struct read_ahead *read_ahead;
        struct scopes_cgroup *scopes; /* --scope-manager */
        struct units *units;          /* likewise */
        struct varlink_server *varlink;
        struct dbus *dbus;
};

static uint64_t clock_usec(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static uint64_t realtime_usec(void *impl) {
        return clock_usec(CLOCK_REALTIME);
}

static uint64_t monotonic_usec(void *impl) {
        return clock_usec(CLOCK_MONOTONIC);
}

static void close_fd(int fd) {
        close(fd);
}

static void on_leader_exit(void *userdata, struct machine *m) {
        struct daemon *d = userdata;

        service_leader_exited(d->service, m);
}

static void on_emptied(void *userdata, const char *cgroup) {
        struct daemon *d = userdata;

        units_emptied(d->units, cgroup);
}

static void on_late(void *userdata, struct unit *u) {
        struct daemon *d = userdata;

        units_late(d->units, u);
}

static sd_bus *get_bus(void *userdata) {
        struct daemon *d = userdata;

        return d->dbus ? dbus_connection(d->dbus) : NULL;
}

static const char *describe_supervisor(const struct daemon *d) {
        return d->systemd ? supervisor_systemd_describe(d->systemd) : supervisor_cgroup_describe(d->cgroup);
}

static void on_settled(void *userdata) {
        struct daemon *d = userdata;

        log_debug("Up: %zu machines; %s.", service_count(d->service), describe_supervisor(d));
        sd_notify(false, "READY=1");
        if (d->options.ready_fd >= 0) {
                if (write(d->options.ready_fd, "\n", 1) < 0)
                        log_debug_errno(-errno, "Cannot say that we are up on descriptor %d", d->options.ready_fd);
                close(d->options.ready_fd);
                d->options.ready_fd = -EBADF;
        }
}

/* Each leader is one descriptor, and so is each client: some have been started by a shell that allows few. Root may take more
 * than that. */
static void raise_descriptor_limit(void) {
        struct rlimit limit, more;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        more.rlim_cur = more.rlim_max = DESCRIPTORS;
        if (limit.rlim_max < DESCRIPTORS && setrlimit(RLIMIT_NOFILE, &more) >= 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
}

static int make_loop(struct daemon *d) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        signal(SIGPIPE, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        r = sd_event_new(&d->event);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(d->event, true);
        return r;
}

static int make_supervisor(struct daemon *d) {
        const struct supervisor_systemd_config systemd = {
                .get_bus = get_bus,
                .userdata = d,
                .helper = d->helper,
                .process = &d->process_port,
                .stop_timeout_usec = d->options.stop_timeout_usec,
        };
        const struct supervisor_cgroup_config cgroup = {
                .helper = d->helper,
                .process = &d->process_port,
                .stop_timeout_usec = d->options.stop_timeout_usec,
        };

        if (d->options.backend == BACKEND_SYSTEMD || (d->options.backend == BACKEND_AUTO && systemd_is_manager()))
                return supervisor_systemd_new(d->event, &systemd, &d->systemd);
        return supervisor_cgroup_new(d->event, &cgroup, &d->cgroup);
}

static int make_backends(struct daemon *d) {
        int r;

        r = process_new(d->event, on_leader_exit, d, &d->process);
        if (r < 0)
                return r;
        d->process_port = process_port(d->process);
        r = helper_new(d->event, d->options.helper, &d->helper);
        if (r < 0)
                return r;
        r = enter_new(d->event, d->options.helper, &d->enter);
        if (r >= 0)
                r = transfers_new(d->event, d->options.helper, &d->transfers);
        if (r >= 0)
                r = make_supervisor(d);
        if (r < 0)
                return r;
        r = store_files_new(d->options.run, &d->store);
        if (r < 0)
                return log_error_errno(r, "Cannot use %s/systemd/machines", d->options.run);
        r = event_file_new(d->options.run, d->options.max_events, &d->events);
        if (r < 0)
                return log_error_errno(r, "Cannot use %s/muster/events", d->options.run);
        return auth_polkit_new(get_bus, d, &d->auth);
}

static int make_service(struct daemon *d) {
        struct ports ports = {
                .process = d->process_port,
                .supervisor = d->systemd ? supervisor_systemd_port(d->systemd) : supervisor_cgroup_port(d->cgroup),
                .store = store_files_port(d->store),
                .auth = auth_polkit_port(d->auth),
                .inspect = helper_inspect_port(d->helper),
                .enter = enter_port(d->enter),
                .console_logs = console_log_files_port(CONSOLE_LOGS_DIRECTORY),
                .transfer = transfers_port(d->transfers),
                .images = images_port(),
                .events = event_file_port(d->events),
                .clock = { .realtime_usec = realtime_usec, .monotonic_usec = monotonic_usec },
        };
        AUTO(machine_freep) struct machine *host = NULL;
        uint64_t seed = 0;
        int r;

        if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
                return -errno;
        r = host_record(&host);
        if (r >= 0)
                r = service_new(&ports, seed, &host, &d->service);
        return r < 0 ? r : read_ahead_new(d->event, d->service, &d->read_ahead);
}

/* Only now, for the service tells it of machines; its scopes are found when those of the machines are. */
static int make_scope_manager(struct daemon *d) {
        struct scopes_cgroup_config config = {
                .supervisor = d->cgroup,
                .process = &d->process_port,
                .emptied = on_emptied,
                .late = on_late,
                .userdata = d,
        };
        struct scope_port port;
        int r;

        if (!d->options.scope_manager)
                return 0;
        r = scopes_cgroup_new(d->event, &config, &d->scopes);
        if (r < 0)
                return r;
        port = scopes_cgroup_port(d->scopes);
        return units_new(d->service, &port, d->options.stop_timeout_usec, &d->units);
}

static int open_doors(struct daemon *d) {
        struct varlink_config varlink = { .run = d->options.run, .log_control = log_sink_control() };
        struct dbus_config dbus = {
                .log_control = log_sink_control(),
                .units = d->units,
                .settled = on_settled,
                .userdata = d,
        };
        struct notify_port listener;
        int r;

        r = varlink_server_new(d->event, d->service, &varlink, &d->varlink);
        if (r == -EADDRINUSE)
                return log_error_errno(r, "Another registry daemon serves %s/systemd/machine already", d->options.run);
        if (r < 0)
                return log_error_errno(r, "Cannot listen below %s/systemd/machine", d->options.run);
        if (d->options.bus) {
                r = dbus_new(d->event, d->service, &dbus, &d->dbus);
                if (r < 0)
                        return r;
                listener = dbus_notify_port(d->dbus);
                r = service_add_listener(d->service, &listener);
                if (r < 0)
                        return r;
        }
        r = service_recover(d->service);
        if (r < 0)
                return log_error_errno(r, "Cannot read the events below %s/muster/events", d->options.run);
        if (d->units)
                units_recover(d->units);
        if (!d->options.bus)
                on_settled(d);
        return 0;
}

static int run(struct daemon *d) {
        int r;

        r = make_loop(d);
        if (r >= 0)
                r = make_backends(d);
        if (r >= 0)
                r = make_service(d);
        if (r >= 0)
                r = make_scope_manager(d);
        if (r >= 0)
                r = open_doors(d);
        if (r < 0)
                return r;
        return sd_event_loop(d->event);
}

/* In the order of who uses whom. The machines run on: they never were our children. */
static void done(struct daemon *d) {
        sd_notify(false, "STOPPING=1");
        dbus_free(d->dbus);
        d->dbus = NULL;
        varlink_server_free(d->varlink);
        enter_free(d->enter);
        transfers_free(d->transfers);
        helper_free(d->helper); /* answers what is still open, so before those who asked */
        auth_polkit_free(d->auth);
        supervisor_systemd_free(d->systemd); /* likewise */
        units_free(d->units);
        scopes_cgroup_free(d->scopes);
        read_ahead_free(d->read_ahead);
        service_free(d->service);
        supervisor_cgroup_free(d->cgroup);
        store_files_free(d->store);
        event_file_free(d->events);
        process_free(d->process);
        sd_event_unref(d->event);
}

int main(int argc, char **argv) {
        struct daemon d = { .event = NULL };
        int r;

        log_sink_open();
        r = options_parse(argc, argv, &d.options);
        if (r != 0)
                return r > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        if (d.options.scope_manager && d.options.backend == BACKEND_AUTO && systemd_is_manager()) {
                log_error("--scope-manager cannot be used: systemd manages the scopes of this host.");
                return EXIT_FAILURE;
        }
        umask(022);
        raise_descriptor_limit();
        machine_set_fd_closer(close_fd);
        r = run(&d);
        if (r < 0)
                log_error_errno(r, "musterd cannot go on");
        done(&d);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
