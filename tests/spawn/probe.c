/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe: does inside of a container what a shell cannot, and says how the kernel took it: "ok" or the error's name.
 *
 *   probe call NUMBER [ARGUMENT...]   a system call; an argument is a number, or text (its address is passed)
 *   probe open PATH FLAGS             ok, then closes it
 *   probe sync DIRECTORY              fsync, and a file opened with O_SYNC
 *   probe type TEXT                   TIOCSTI on standard input
 *   probe notify TEXT [COUNT [fd]]    to $NOTIFY_SOCKET, with a descriptor when "fd" is said
 *   probe listen                      what is accepted on each passed socket, until there was one connection
 *   probe exe PATH                    every way to write to that program, also by another mount of it
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static const char *how(long result) {
        const char *name = result < 0 ? strerrorname_np(errno) : "ok";

        return name ? name : "?";
}

static int call(int n, char **arguments) {
        unsigned long a[6] = { 0 };
        char *end;

        for (int i = 1; i < n && i <= 6; i++) {
                a[i - 1] = strtoul(arguments[i], &end, 0);
                if (*end)
                        a[i - 1] = (unsigned long) arguments[i];
        }
        puts(how(syscall(strtol(arguments[0], NULL, 0), a[0], a[1], a[2], a[3], a[4], a[5])));
        return 0;
}

static int try_open(const char *path, int flags) {
        int fd = open(path, flags | O_NOCTTY | O_NONBLOCK, 0600);

        puts(how(fd));
        if (fd >= 0)
                close(fd);
        return 0;
}

static int try_sync(const char *directory) {
        char path[256];
        int fd;

        snprintf(path, sizeof(path), "%s/synced", directory);
        fd = open(path, O_RDWR | O_CREAT, 0600);
        printf("fsync %s\n", how(fsync(fd)));
        printf("fsync-nothing %s\n", how(fsync(1000)));
        printf("open %s\n", how(open(path, O_RDWR | O_SYNC)));
        unlink(path);
        return 0;
}

static int type(const char *text) {
        for (; *text; text++)
                if (ioctl(0, TIOCSTI, text) < 0)
                        break;
        puts(*text ? how(-1) : "ok");
        return 0;
}

static int notify(const char *text, long count, int pass) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = {
                              .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct iovec iov = { .iov_base = (char *) text, .iov_len = strlen(text) };
        struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1 };
        const char *path = getenv("NOTIFY_SOCKET");
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0), full = 0;

        snprintf(to.sun_path, sizeof(to.sun_path), "%s", path ? path : "/run/host/notify");
        if (pass) {
                memcpy(CMSG_DATA(&control.header), (int[]){ 1 }, sizeof(int));
                m.msg_control = &control;
                m.msg_controllen = sizeof(control);
        }
        while (count-- > 0)
                if (sendmsg(fd, &m, MSG_DONTWAIT) < 0) {
                        if (errno != EAGAIN) {
                                puts(how(-1));
                                return 1;
                        }
                        full = 1;
                        usleep(100);
                }
        puts(full ? "full" : "ok");
        return 0;
}

static int listen_fds(void) {
        const char *n = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");

        printf("%s %s\n", n ? n : "-", pid ? pid : "-");
        fflush(stdout);
        if (n && atoi(n) > 0) {
                char text[64] = "";
                int fd = accept(3, NULL, NULL);

                if (read(fd, text, sizeof(text) - 1) < 0 || write(fd, "got it", 6) < 0)
                        return 1;
                printf("%s\n", text);
        }
        return 0;
}

static int exe(const char *path) {
        struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };
        int fd = open(path, O_PATH);

        printf("found %s\n", how(fd));
        printf("write %s\n", how(open(path, O_WRONLY)));
        printf("truncate %s\n", how(truncate(path, 0)));
        printf("setattr %s\n", how(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &writable, sizeof(writable))));
        printf("remount %s\n", how(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL)));
        printf("bind %s\n", how(mount(path, "/tmp/exe", NULL, MS_BIND, NULL)));
        printf("clone %s\n", how(syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE)));
        return 0;
}

int main(int argc, char **argv) {
        const char *verb = argc > 1 ? argv[1] : "";

        if (strcmp(verb, "call") == 0 && argc > 2)
                return call(argc - 2, argv + 2);
        if (strcmp(verb, "open") == 0 && argc == 4)
                return try_open(argv[2], (int) strtol(argv[3], NULL, 0));
        if (strcmp(verb, "sync") == 0 && argc == 3)
                return try_sync(argv[2]);
        if (strcmp(verb, "type") == 0 && argc == 3)
                return type(argv[2]);
        if (strcmp(verb, "notify") == 0 && argc >= 3)
                return notify(argv[2], argc > 3 ? atol(argv[3]) : 1, argc > 4);
        if (strcmp(verb, "listen") == 0)
                return listen_fds();
        if (strcmp(verb, "exe") == 0 && argc == 3)
                return exe(argv[2]);
        fputs("probe: see the beginning of probe.c\n", stderr);
        return 2;
}
