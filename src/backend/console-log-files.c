/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/console-log-files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "codec/console-log.h"
#include "sys/packet.h"

/* Where others can put files a name may lead anywhere. */
static int open_directory(const char *path) {
        AUTO_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return st.st_uid == geteuid() && !(st.st_mode & 0022) ? STEAL_FD(fd) : -EPERM;
}

static int open_file(int directory, const char *machine, unsigned age) {
        char name[CONSOLE_LOG_NAME_SIZE];
        AUTO_CLOSE int fd = -EBADF;
        struct stat st;

        console_log_file_name(machine, age, name);
        fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? STEAL_FD(fd) : -ENOENT;
}

static bool is_for_packets(int fd) {
        int type = 0;
        socklen_t size = sizeof(type);

        return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static int port_send(void *impl, const char *machine, int socket) {
        AUTO_CLOSE int directory = -EBADF;

        if (!is_for_packets(socket))
                return -ENOTSOCK;
        directory = open_directory(impl);
        if (directory < 0)
                return directory == -ENOENT ? 0 : directory;
        for (unsigned age = 0; age < CONSOLE_LOGS_FILES_MAX; age++) {
                AUTO_CLOSE int fd = open_file(directory, machine, age);
                uint8_t number = (uint8_t) age;
                int r = fd == -ENOENT ? 0 : fd < 0 ? fd : packet_send(socket, &number, sizeof(number), fd);

                if (r < 0)
                        return r;
        }
        return 0;
}

struct console_log_port console_log_files_port(const char *directory) {
        return (struct console_log_port){ (void *) directory, port_send };
}
