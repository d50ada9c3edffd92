/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One call, one answer, on a connection of its own. Of the answer only one thing matters: is there an error in it. So no JSON
 * library is loaded for it, which would cost a start more than the call does. */
#include "muster-spawn/register.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "client/register-call.h"
#include "muster-spawn/register-bus.h"
#include "muster-spawn/scope-unit.h"
#include "sys/pidfd.h"

#define SOCKET "/run/systemd/machine/io.systemd.Machine"
#define ANSWER_MAX 65536
#define TIMEOUT_SEC 25

static int open_socket(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
        struct timeval timeout = { .tv_sec = TIMEOUT_SEC };
        AUTO_CLOSE int fd = -EBADF;

        if (access(SOCKET, F_OK) < 0 && errno == ENOENT)
                return -EHOSTDOWN;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return errno == ENOENT || errno == ECONNREFUSED ? -EHOSTDOWN : -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        return STEAL_FD(fd);
}

static int send_call(int fd, const char *method, const char *parameters) {
        AUTO_BUF struct buf b = BUF_EMPTY;

        buf_printf(&b, "{\"method\":\"io.systemd.Machine.%s\",\"parameters\":%s}", method, parameters);
        if (buf_append_char(&b, '\0') < 0)
                return -ENOMEM;
        for (size_t done = 0; done < b.size;) {
                ssize_t n = send(fd, b.data + done, b.size - done, MSG_NOSIGNAL);

                if (n < 0)
                        return -errno;
                done += (size_t) n;
        }
        return 0;
}

/* A message ends with a NUL byte. */
static int receive(int fd, struct buf *ret) {
        char chunk[4096];

        while (ret->size < ANSWER_MAX) {
                ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

                if (n < 0)
                        return errno == EAGAIN ? -ETIMEDOUT : -errno;
                if (n == 0)
                        return -ECONNRESET;
                if (buf_append(ret, chunk, (size_t) n) < 0)
                        return -ENOMEM;
                if (memchr(chunk, '\0', (size_t) n))
                        return 0;
        }
        return -EMSGSIZE;
}

/* Register and Unregister answer with nothing, or with {"error":"NAME",...}. */
static int judge(const char *answer, char **error) {
        static const char key[] = "\"error\"";
        const char *at = strstr(answer, key), *end;

        if (!at)
                return 0;
        at = strchr(at + strlen(key), '"');
        end = at ? strchr(at + 1, '"') : NULL;
        if (!end)
                return -EBADMSG;
        if (startswith(at + 1, "io.systemd.Machine.MachineExists"))
                return -EEXIST;
        if (error)
                *error = strndup(at + 1, (size_t) (end - at - 1));
        return -EREMOTEIO;
}

static int call(int fd, const char *method, const char *parameters, char **error) {
        AUTO_BUF struct buf answer = BUF_EMPTY;
        int r = send_call(fd, method, parameters);

        if (r >= 0)
                r = receive(fd, &answer);
        return r < 0 ? r : judge(answer.data, error);
}

static int register_by_socket(int fd, const struct registration *m, const struct pidref *leader, char **error) {
        AUTO_BUF struct buf b = BUF_EMPTY;
        const struct register_call c = {
                .name = m->name,
                .leader = leader,
                .id = m->id,
                .service = m->service,
                .root_directory = m->root,
                .allocate_unit = m->allocate_unit,
        };
        int r = register_call_encode(&c, &b);

        return r < 0 ? r : call(fd, "Register", b.data, error);
}

int register_machine(const struct registration *m, char **error) {
        AUTO_CLOSE int fd = open_socket();
        AUTO(pidref_done) struct pidref leader = PIDREF_EMPTY;
        int r;

        /* First, because who the leader is has to be asked for only where somebody wants to know. */
        if (fd < 0 && !(fd == -EHOSTDOWN && under_systemd()))
                return fd;
        r = pidref_from_fd(m->leader, &leader);
        if (r < 0)
                return r;
        return fd < 0 ? register_by_bus(m, leader.pid, error) : register_by_socket(fd, m, &leader, error);
}

int unregister_machine(const char *name, int leader_fd) {
        AUTO_CLOSE int fd = open_socket();
        AUTO(pidref_done) struct pidref leader = PIDREF_EMPTY;
        AUTO_BUF struct buf b = BUF_EMPTY;
        int r;

        if (fd < 0)
                return fd == -EHOSTDOWN && under_systemd() ? unregister_by_bus(name) : fd;
        r = pidref_from_fd(leader_fd, &leader);
        if (r == -ESRCH) /* what has ended has no other identity on kernels before 6.9 */
                r = pidfd_to_pid(leader_fd, &leader.pid);
        r = unregister_call_encode(name, r < 0 ? NULL : &leader, &b);
        return r < 0 ? r : call(fd, "Unregister", b.data, NULL);
}
