/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A namespace lives as long as somebody holds it: a child is born into it, and is ended as soon as the descriptor is open. */
#include "muster-spawn/idmap-ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/fileio.h"
#include "sys/path.h"

struct owners {
        uid_t uid;
        gid_t gid;
};

/* What root of the container is on the host: the second number of the first line of its maps. */
static int host_root(pid_t pid, const char *which, uint32_t *ret) {
        AUTO_FREE char *text = NULL;
        unsigned inside, outside;
        char path[48];
        int r;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
        r = read_record_at(AT_FDCWD, path, 4096, &text, NULL);
        if (r < 0)
                return r;
        if (sscanf(text, "%u %u", &inside, &outside) != 2 || inside != 0)
                return -EBADMSG;
        *ret = outside;
        return 0;
}

static int shown_as(pid_t pid, enum spec_idmap kind, int root, const char *target, struct owners *ret) {
        AUTO_CLOSE int fd = -EBADF;
        struct stat st = { 0 };
        uint32_t uid, gid;
        int r;

        r = host_root(pid, "uid_map", &uid);
        if (r >= 0)
                r = host_root(pid, "gid_map", &gid);
        if (r < 0)
                return r;
        if (kind == IDMAP_OWNER) {
                fd = open_in_root(root, target, O_PATH);
                if (fd < 0)
                        return fd;
                if (fstat(fd, &st) < 0)
                        return -errno;
                /* Through the mapped root the numbers are those of the host already. */
                *ret = (struct owners){ st.st_uid >= uid ? st.st_uid : uid + st.st_uid,
                                        st.st_gid >= gid ? st.st_gid : gid + st.st_gid };
                return 0;
        }
        *ret = (struct owners){ uid, gid };
        return 0;
}

static int write_map(pid_t pid, const char *which, unsigned on_disk, unsigned shown) {
        char path[48], text[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
        snprintf(text, sizeof(text), "%u %u 1\n", on_disk, shown);
        return write_attribute_text_at(AT_FDCWD, path, text);
}

static int namespace_of(pid_t pid, const struct stat *st, const struct owners *shown) {
        char path[48];
        int fd, r;

        r = write_map(pid, "uid_map", st->st_uid, shown->uid);
        if (r >= 0)
                r = write_map(pid, "gid_map", st->st_gid, shown->gid);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int idmap_namespace_for(pid_t pid, enum spec_idmap kind, int tree, int root, const char *target) {
        struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        struct owners shown = { 0 };
        struct stat st;
        pid_t holder;
        int r;

        r = shown_as(pid, kind, root, target, &shown);
        if (r < 0)
                return r;
        if (fstat(tree, &st) < 0)
                return -errno;
        holder = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (holder < 0)
                return -errno;
        if (holder == 0)
                for (;;)
                        pause();
        r = namespace_of(holder, &st, &shown);
        kill(holder, SIGKILL);
        waitpid(holder, NULL, 0);
        return r;
}
