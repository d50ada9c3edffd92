/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets, and who connects to them. */
#include "ipc/varlink-server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>

#include "base/log.h"
#include "ipc/varlink-connection.h"
#include "ipc/varlink-internal.h"
#include "sys/procfs.h"

#define ACCEPT_AT_ONCE 64
#define TICK_USEC UINT64_C(5000000)

static void on_machine_new(void *impl, const struct machine *m) {
        domains_changed(impl);
}

static void on_machine_removed(void *impl, const struct machine *m) {
        streams_skip(impl, m);
        domains_changed(impl);
}

static void on_event(void *impl, const struct event *e) {
        subscriptions_wake(impl);
        waits_tell(impl, e);
}

/* ---- accepting ---- */

void varlink_server_listen(struct varlink_server *v, bool on) {
        for (size_t i = 0; i < VARLINK_DOORS; i++)
                if (v->doors[i].listen)
                        sd_event_source_set_enabled(v->doors[i].listen, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* The ticker runs only while there is somebody to look after: an idle daemon is not woken. */
static void need_ticker(struct varlink_server *v) {
        if (sd_event_source_get_enabled(v->ticker, NULL) > 0)
                return;
        sd_event_source_set_time_relative(v->ticker, TICK_USEC);
        sd_event_source_set_enabled(v->ticker, SD_EVENT_ONESHOT);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        const struct varlink_door *door = userdata;
        struct varlink_server *v = door->server;

        for (int n = 0; n < ACCEPT_AT_ONCE; n++) {
                int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (client >= 0) {
                        connection_new(door, client);
                        need_ticker(v);
                        continue;
                }
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                        /* Accepting again at once would only spin: the next connection that ends, or the ticker, lets
                         * it go on. */
                        if (!v->short_of_descriptors)
                                log_warning_errno(-errno, "Cannot accept a Varlink connection, pausing");
                        v->short_of_descriptors = true;
                        varlink_server_listen(v, false);
                        need_ticker(v);
                }
                return 0;
        }
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        struct varlink_server *v = userdata;

        connections_tick(v);
        v->short_of_descriptors = false;
        varlink_server_listen(v, true);
        if (v->connections)
                need_ticker(v); /* it has switched itself off by now */
        return 0;
}

/* ---- the sockets ---- */

/* What is to be asked there, for those who would rather not ask (nss-systemd(8)). Older kernels let sockets have no attributes. */
static void describe_users(const char *path) {
        static const char *const attributes[][2] = {
                { "user.userdb.uid", "65536-4294967294" },
                { "user.userdb.gid", "65536-4294967294" },
                { "user.userdb.username", "vu-*" },
                { "user.userdb.groupname", "vg-*" },
        };

        for (size_t i = 0; i < ELEMENTS(attributes); i++)
                if (setxattr(path, attributes[i][0], attributes[i][1], strlen(attributes[i][1]), 0) < 0)
                        return;
}

static int open_door(struct varlink_door *door, const char *run, bool first) {
        const struct varlink_door_type *type = door->type;
        int r = 0;

        if (type->fd_name)
                r = varlink_socket_adopt(&door->socket, type->fd_name);
        if (r == 0)
                r = varlink_socket_bind(&door->socket, run, type->place, first);
        if (r < 0)
                return r;
        for (const char *const *link = type->links; *link; link++)
                varlink_socket_link(&door->socket, run, *link);
        if (type->methods[0] == varlink_user_methods && door->socket.path)
                describe_users(door->socket.path);
        return sd_event_add_io(door->server->event, &door->listen, door->socket.fd, EPOLLIN, on_connection, door);
}

/* Only the first is what we are there for. */
static int open_doors(struct varlink_server *v, const char *run) {
        for (size_t i = 0; i < VARLINK_DOORS; i++) {
                struct varlink_door *door = v->doors + i;
                int r = open_door(door, run, i == 0);

                if (r < 0 && i == 0)
                        return r;
                if (r < 0) {
                        log_warning_errno(r, "Cannot listen on %s/%s, going on without", run, door->type->place);
                        varlink_socket_done(&door->socket);
                }
        }
        return 0;
}

int varlink_server_new(sd_event *e, struct service *s, const struct varlink_config *config,
                       struct varlink_server **ret) {
        AUTO(varlink_server_freep) struct varlink_server *v = calloc(1, sizeof(*v));
        struct notify_port listener;
        int r;

        if (!v)
                return -ENOMEM;
        for (size_t i = 0; i < VARLINK_DOORS; i++)
                v->doors[i] = (struct varlink_door){ v, varlink_door_types + i, VARLINK_SOCKET_EMPTY, NULL };
        v->event = sd_event_ref(e);
        v->service = s;
        v->log_control = config->log_control;
        (void) proc_boot_id(&v->boot_id); /* all zero where it cannot be read */
        r = open_doors(v, config->run);
        if (r >= 0)
                r = sd_event_add_time_relative(e, &v->ticker, CLOCK_MONOTONIC, TICK_USEC, 0, on_tick, v);
        if (r >= 0)
                r = sd_event_source_set_enabled(v->ticker, SD_EVENT_OFF);
        if (r < 0)
                return r;
        listener = (struct notify_port){ v, on_machine_new, on_machine_removed, on_event };
        r = service_add_listener(s, &listener);
        if (r < 0)
                return r;
        *ret = STEAL(v);
        return 0;
}

void varlink_server_free(struct varlink_server *v) {
        if (!v)
                return;
        while (v->connections)
                connection_free(v->connections);
        sd_event_source_disable_unref(v->ticker);
        sd_event_source_disable_unref(v->domains_timer);
        for (size_t i = 0; i < VARLINK_DOORS; i++) {
                sd_event_source_disable_unref(v->doors[i].listen);
                varlink_socket_done(&v->doors[i].socket);
        }
        sd_event_unref(v->event);
        free(v);
}
