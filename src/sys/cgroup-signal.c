/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/cgroup-signal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/cgroup.h"
#include "sys/fileio.h"

#define PROCS_MAX (4U << 20) /* bytes of one cgroup.procs */
#define CHUNK 256            /* pidfds held at once */

int cgroup_kill_v2(int fd) {
        return write_attribute_text_at(fd, "cgroup.kill", "1");
}

int cgroup_freeze_v1(int fd, bool freeze) {
        return write_attribute_text_at(fd, "freezer.state", freeze ? "FROZEN" : "THAWED");
}

/* ---- how many groups ---- */

struct count_walk {
        int fd, depth;
        size_t left;
};

static int count_child(void *userdata, const char *name) {
        struct count_walk *parent = userdata, w;
        AUTO_CLOSE int fd = -EBADF;
        int r;

        if (parent->left-- == 0)
                return 1;
        if (parent->depth >= CGROUP_DEPTH_MAX)
                return 0;
        fd = cgroup_open(parent->fd, name);
        if (fd < 0)
                return 0;
        w = (struct count_walk){ fd, parent->depth + 1, parent->left };
        r = cgroup_list(fd, count_child, &w);
        parent->left = w.left;
        return r;
}

bool cgroup_is_large(int fd) {
        struct count_walk w = { fd, 0, CGROUP_GROUPS_MAX };
        AUTO_FREE char *text = NULL;
        unsigned long long n;

        if (read_file_at(fd, "cgroup.stat", 4096, &text, NULL) >= 0) { /* v2; its first line */
                const char *number = startswith(text, "nr_descendants ");

                n = number ? strtoull(number, NULL, 10) : 0;
                return n > CGROUP_GROUPS_MAX;
        }
        return cgroup_list(fd, count_child, &w) != 0;
}

/* ---- signalling ---- */

struct pid_list {
        pid_t *pids;
        size_t n;
};

static int compare_pids(const void *a, const void *b) {
        pid_t x = *(const pid_t *) a, y = *(const pid_t *) b;

        return x < y ? -1 : x > y;
}

/* Sorted. 0 stands for processes of other pid namespaces and is left out. */
static int read_pids(int fd, struct pid_list *ret) {
        AUTO_FREE char *text = NULL;
        pid_t *pids;
        size_t n = 0;
        int r;

        r = read_file_at(fd, "cgroup.procs", PROCS_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (const char *c = text; *c; c++)
                n += *c == '\n';
        pids = calloc(n + 1, sizeof(*pids));
        if (!pids)
                return -ENOMEM;
        n = 0;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                long pid = strtol(line, NULL, 10);

                if (pid > 0)
                        pids[n++] = (pid_t) pid;
        }
        qsort(pids, n, sizeof(*pids), compare_pids);
        *ret = (struct pid_list){ pids, n };
        return 0;
}

struct signal_walk {
        int fd, sig, depth;
        int count;
};

/* Pins each, looks again, signals those that are still there: a number that was recycled in between is not. */
static int signal_chunk(struct signal_walk *w, const pid_t *pids, size_t n) {
        struct pid_list now = { NULL, 0 };
        int fds[CHUNK], r;

        for (size_t i = 0; i < n; i++)
                fds[i] = (int) syscall(SYS_pidfd_open, pids[i], 0);
        r = read_pids(w->fd, &now);
        for (size_t i = 0; i < n; i++) {
                if (fds[i] < 0)
                        continue;
                if (r >= 0 && bsearch(&pids[i], now.pids, now.n, sizeof(*now.pids), compare_pids) &&
                    syscall(SYS_pidfd_send_signal, fds[i], w->sig, NULL, 0) == 0)
                        w->count++;
                close(fds[i]);
        }
        free(now.pids);
        return r;
}

static int signal_here(struct signal_walk *w) {
        struct pid_list list = { NULL, 0 };
        int r = read_pids(w->fd, &list);

        for (size_t i = 0; r >= 0 && i < list.n; i += CHUNK)
                r = signal_chunk(w, list.pids + i, list.n - i < CHUNK ? list.n - i : CHUNK);
        free(list.pids);
        /* -EOPNOTSUPP: a threaded cgroup, whose processes are listed above it. The others: it was removed meanwhile. */
        return r == -EOPNOTSUPP || r == -ENODEV || r == -ENOENT ? 0 : r;
}

static int signal_child(void *userdata, const char *name);

static int signal_tree(struct signal_walk *w) {
        int r = signal_here(w);

        if (r < 0 || w->depth >= CGROUP_DEPTH_MAX)
                return r;
        return cgroup_list(w->fd, signal_child, w);
}

static int signal_child(void *userdata, const char *name) {
        struct signal_walk *parent = userdata, w = *parent;
        AUTO_CLOSE int fd = cgroup_open(parent->fd, name);
        int r;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        w.fd = fd;
        w.depth++;
        r = signal_tree(&w);
        parent->count = w.count;
        return r;
}

int cgroup_signal(int fd, int sig) {
        struct signal_walk w = { .fd = fd, .sig = sig };
        int r = signal_tree(&w);

        return r < 0 ? r : w.count;
}

/* ---- listing ---- */

struct process_walk {
        int fd, depth;
        const char *path;
        int (*found)(void *userdata, const char *path, pid_t pid);
        void *userdata;
};

static int list_child(void *userdata, const char *name);

static int list_tree(struct process_walk *w) {
        struct pid_list list = { NULL, 0 };
        int r = read_pids(w->fd, &list);

        if (r == -EOPNOTSUPP || r == -ENODEV || r == -ENOENT) /* as in signal_here() */
                r = 0;
        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = w->found(w->userdata, w->path, list.pids[i]);
        free(list.pids);
        if (r != 0 || w->depth >= CGROUP_DEPTH_MAX)
                return r;
        return cgroup_list(w->fd, list_child, w);
}

static int list_child(void *userdata, const char *name) {
        struct process_walk *parent = userdata, w = *parent;
        AUTO_CLOSE int fd = cgroup_open(parent->fd, name);
        AUTO_FREE char *path = NULL;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (asprintf(&path, "%s/%s", parent->path, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        w.fd = fd;
        w.path = path;
        w.depth++;
        return list_tree(&w);
}

int cgroup_each_process(int fd, const char *path, int (*found)(void *userdata, const char *path, pid_t pid),
                        void *userdata) {
        struct process_walk w = { .fd = fd, .path = path, .found = found, .userdata = userdata };

        return list_tree(&w);
}
