/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/fileio.h"

#define TEXT_MAX 65536
#define LINK_MAX_BYTES 4096
#define NAMESPACES_UP 16

/* What /proc says of a process that is not there, or no longer. */
static int dead(int error) {
        return error == -ENOENT ? -ESRCH : error;
}

int proc_read(pid_t pid, const char *what, char **ret, size_t *ret_size) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, what);
        return dead(read_record_at(AT_FDCWD, path, TEXT_MAX, ret, ret_size));
}

int proc_boot_id(struct id128 *ret) {
        AUTO_FREE char *text = NULL;
        int r = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL);

        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        return id128_from_string(text, ret);
}

int proc_readlink(pid_t pid, const char *what, char **ret) {
        char path[64], target[LINK_MAX_BYTES];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, what);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return dead(-errno);
        target[n] = '\0';
        *ret = strdup(target);
        return *ret ? 0 : -ENOMEM;
}

static int namespace_stat(pid_t pid, const char *kind, struct stat *ret) {
        char path[64];

        if (pid == 0)
                snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
        else
                snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int) pid, kind);
        return stat(path, ret) < 0 ? dead(-errno) : 0;
}

int proc_same_namespace(pid_t pid_a, pid_t pid_b, const char *kind) {
        struct stat a, b;
        int r;

        r = namespace_stat(pid_a, kind, &a);
        if (r >= 0)
                r = namespace_stat(pid_b, kind, &b);
        return r < 0 ? r : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int proc_uid(pid_t pid, uid_t *ret) {
        AUTO_FREE char *text = NULL;
        unsigned effective;
        const char *line;
        int r;

        r = proc_read(pid, "status", &text, NULL);
        if (r < 0)
                return r;
        line = strstr(text, "\nUid:"); /* "Name:" comes first, and has its newlines escaped */
        if (!line || sscanf(line, "\nUid: %*u %u", &effective) != 1)
                return -EBADMSG;
        *ret = effective;
        return 0;
}

/* 1 when `uid` owns the namespace or one above it, ours excluded. */
static int namespace_owned_by(int fd, uid_t uid) {
        AUTO_CLOSE int at = fd; /* consumed */
        struct stat own, that;

        if (stat("/proc/self/ns/user", &own) < 0)
                return -errno;
        for (int up = 0; up < NAMESPACES_UP; up++) {
                uid_t owner;
                int parent;

                if (fstat(at, &that) < 0)
                        return -errno;
                if (that.st_dev == own.st_dev && that.st_ino == own.st_ino)
                        return 0;
                if (ioctl(at, NS_GET_OWNER_UID, &owner) < 0)
                        return -errno;
                if (owner == uid)
                        return 1;
                parent = ioctl(at, NS_GET_PARENT);
                if (parent < 0)
                        return errno == EPERM ? 0 : -errno; /* above what we may see */
                close(at);
                at = parent;
        }
        return 0;
}

/* Real, effective and saved: a program of root's that takes somebody's rights on for a while is still root's. */
static int is_wholly_of(pid_t pid, uid_t uid) {
        AUTO_FREE char *text = NULL;
        unsigned ids[3];
        const char *line;
        int r = proc_read(pid, "status", &text, NULL);

        if (r < 0)
                return r;
        line = strstr(text, "\nUid:");
        if (!line || sscanf(line, "\nUid: %u %u %u", &ids[0], &ids[1], &ids[2]) != 3)
                return -EBADMSG;
        return ids[0] == uid && ids[1] == uid && ids[2] == uid;
}

int proc_belongs_to(pid_t pid, uid_t uid) {
        char path[64];
        int fd, r, same = 1;

        r = is_wholly_of(pid, uid);
        if (r < 0)
                return r;
        if (access("/proc/self/ns/user", F_OK) == 0) /* or the kernel has but one */
                same = proc_same_namespace(pid, 0, "user");
        if (same < 0)
                return same;
        if (same > 0)
                return r;
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int) pid);
        fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return dead(-errno);
        return namespace_owned_by(fd, uid);
}
