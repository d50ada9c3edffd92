/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket: made, found taken, handed over by a service manager; who may connect and how often. */
#include "ipc/varlink-server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/varlink-connection.h"
#include "ipc/varlink-internal.h"
#include "sys/fileio.h"

#define SOCKET_NAME "io.systemd.Machine"
#define BACKLOG 4096
#define ACCEPT_AT_ONCE 64
#define TICK_USEC UINT64_C(5000000)

static void on_machine_new(void *impl, const struct machine *m) {
}

static void on_machine_removed(void *impl, const struct machine *m) {
        streams_skip(impl, m);
}

static void on_event(void *impl, const struct event *e) {
        subscriptions_wake(impl);
}

/* ---- accepting ---- */

/* The ticker runs only while there is somebody to look after: an idle daemon is not woken. */
static void need_ticker(struct varlink_server *v) {
        if (sd_event_source_get_enabled(v->ticker, NULL) > 0)
                return;
        sd_event_source_set_time_relative(v->ticker, TICK_USEC);
        sd_event_source_set_enabled(v->ticker, SD_EVENT_ONESHOT);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct varlink_server *v = userdata;

        for (int n = 0; n < ACCEPT_AT_ONCE; n++) {
                int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (client >= 0) {
                        connection_new(v, client);
                        need_ticker(v);
                        continue;
                }
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                        /* Accepting again at once would only spin: the next connection that ends, or the ticker, lets
                         * it go on. */
                        if (!v->short_of_descriptors)
                                log_warning_errno(-errno, "Cannot accept a Varlink connection, pausing");
                        v->short_of_descriptors = true;
                        sd_event_source_set_enabled(v->listen, SD_EVENT_OFF);
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
        sd_event_source_set_enabled(v->listen, SD_EVENT_ON);
        if (v->connections)
                need_ticker(v); /* it has switched itself off by now */
        return 0;
}

/* ---- the socket ---- */

/* Whether somebody answers on the socket that is there already. */
static bool is_answered(const struct sockaddr_un *address) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        bool answered;

        if (fd < 0)
                return true;
        answered = connect(fd, (const struct sockaddr *) address, sizeof(*address)) == 0 || errno == EAGAIN;
        close(fd);
        return answered;
}

/* Two daemons that start at the same moment: the one that has the lock goes on. It ends with the process. */
static int lock_directory(const char *directory) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        AUTO_FREE char *path = NULL;
        int fd;

        if (asprintf(&path, "%s/.muster.lock", directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        if (fcntl(fd, F_SETLK, &lock) < 0) {
                int r = errno == EAGAIN || errno == EACCES ? -EADDRINUSE : -errno;

                close(fd);
                return r;
        }
        return 0; /* the descriptor stays open with us, on purpose */
}

static int bind_socket(struct varlink_server *v, const char *directory) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int r;

        if (asprintf(&v->path, "%s/" SOCKET_NAME, directory) < 0) {
                v->path = NULL;
                return -ENOMEM;
        }
        if (strlen(v->path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, v->path); /* checked two lines up */
        r = mkdir_parents(directory, 0755);
        if (r >= 0)
                r = lock_directory(directory);
        if (r < 0)
                return r;
        if (is_answered(&address))
                return -EADDRINUSE;
        v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (v->fd < 0)
                return -errno;
        unlink(v->path);
        if (bind(v->fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        v->bound = true;
        if (chmod(v->path, 0666) < 0 || listen(v->fd, BACKLOG) < 0)
                return -errno;
        return 0;
}

static int adopt_socket(struct varlink_server *v) {
        AUTO(strv_freep) char **names = NULL;
        int n = sd_listen_fds_with_names(true, &names);

        for (int i = 0; i < n; i++)
                if (streq(names[i], "varlink") &&
                    sd_is_socket_unix(SD_LISTEN_FDS_START + i, SOCK_STREAM, 1, NULL, 0) > 0) {
                        v->fd = SD_LISTEN_FDS_START + i;
                        return fcntl(v->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 1;
                }
        return 0;
}

/* Where `varlinkctl list-registry` and bare interface names look. */
static void show_in_registry(struct varlink_server *v, const char *run) {
        AUTO_FREE char *directory = NULL;
        AUTO_CLOSE int fd = -EBADF;

        if (asprintf(&directory, "%s/varlink/registry", run) < 0) {
                directory = NULL;
                return;
        }
        if (mkdir_parents(directory, 0755) < 0)
                return;
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || symlink_atomic_at(fd, v->path, SOCKET_NAME) < 0)
                return;
        if (asprintf(&v->link, "%s/" SOCKET_NAME, directory) < 0)
                v->link = NULL;
}

static int open_socket(struct varlink_server *v, const char *run) {
        AUTO_FREE char *directory = NULL;
        int r;

        r = adopt_socket(v);
        if (r != 0)
                return r;
        if (asprintf(&directory, "%s/systemd/machine", run) < 0) {
                directory = NULL;
                return -ENOMEM;
        }
        r = bind_socket(v, directory);
        if (r >= 0)
                show_in_registry(v, run);
        return r;
}

static void read_boot_id(struct id128 *ret) {
        AUTO_FREE char *text = NULL;

        if (read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        id128_from_string(text, ret);
}

int varlink_server_new(sd_event *e, struct service *s, const struct varlink_config *config,
                       struct varlink_server **ret) {
        AUTO(varlink_server_freep) struct varlink_server *v = calloc(1, sizeof(*v));
        struct notify_port listener;
        int r;

        if (!v)
                return -ENOMEM;
        v->fd = -EBADF;
        v->event = sd_event_ref(e);
        v->service = s;
        v->log_control = config->log_control;
        read_boot_id(&v->boot_id);
        r = open_socket(v, config->run);
        if (r >= 0)
                r = sd_event_add_io(e, &v->listen, v->fd, EPOLLIN, on_connection, v);
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
        sd_event_source_disable_unref(v->listen);
        sd_event_source_disable_unref(v->ticker);
        if (v->bound) {
                unlink(v->path);
                if (v->link)
                        unlink(v->link);
        }
        if (v->fd >= 0)
                close(v->fd);
        sd_event_unref(v->event);
        free(v->path);
        free(v->link);
        free(v);
}
