/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/varlink-socket.h"

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

#include "base/auto.h"
#include "base/str.h"
#include "sys/fileio.h"

#define BACKLOG 4096

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

/* The one that has the lock goes on. It ends with the process. */
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

static int make_directory(const char *path, bool alone) {
        AUTO_FREE char *directory = strndup(path, (size_t) (strrchr(path, '/') - path));
        int r;

        if (!directory)
                return -ENOMEM;
        r = mkdir_parents(directory, 0755);
        return r >= 0 && alone ? lock_directory(directory) : r;
}

int varlink_socket_bind(struct varlink_socket *s, const char *run, const char *place, bool alone) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        AUTO_FREE char *path = NULL;
        int r;

        if (asprintf(&path, "%s/%s", run, place) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);
        r = make_directory(path, alone);
        if (r < 0)
                return r;
        if (is_answered(&address))
                return -EADDRINUSE;
        s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fd < 0)
                return -errno;
        unlink(path);
        if (bind(s->fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        s->path = STEAL(path); /* ours from now on */
        if (chmod(s->path, 0666) < 0 || listen(s->fd, BACKLOG) < 0)
                return -errno;
        return 0;
}

int varlink_socket_adopt(struct varlink_socket *s, const char *name) {
        AUTO(strv_freep) char **names = NULL;
        int n = sd_listen_fds_with_names(true, &names);

        for (int i = 0; i < n; i++)
                if (streq(names[i], name) && sd_is_socket_unix(SD_LISTEN_FDS_START + i, SOCK_STREAM, 1, NULL, 0) > 0) {
                        s->fd = SD_LISTEN_FDS_START + i;
                        return fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 1;
                }
        return 0;
}

void varlink_socket_link(struct varlink_socket *s, const char *run, const char *place) {
        AUTO_FREE char *path = NULL, *directory = NULL;
        AUTO_CLOSE int fd = -EBADF;

        if (!s->path)
                return;
        if (asprintf(&path, "%s/%s", run, place) < 0) {
                path = NULL;
                return;
        }
        directory = strndup(path, (size_t) (strrchr(path, '/') - path));
        if (!directory || mkdir_parents(directory, 0755) < 0)
                return;
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && symlink_atomic_at(fd, s->path, strrchr(path, '/') + 1) >= 0)
                (void) strv_extend(&s->links, path);
}

void varlink_socket_done(struct varlink_socket *s) {
        for (char **link = s->links; link && *link; link++)
                unlink(*link);
        if (s->path)
                unlink(s->path);
        if (s->fd >= 0)
                close(s->fd);
        strv_free(s->links);
        free(s->path);
        *s = VARLINK_SOCKET_EMPTY;
}
