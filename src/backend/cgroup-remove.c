/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removing the directories of a scope, and finding those that an earlier life has left. On v1 a scope stands in several
 * hierarchies; it lives in the tracking one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cgroup-host.h"
#include "base/auto.h"
#include "base/str.h"
#include "codec/proc-text.h"
#include "sys/cgroup-signal.h"
#include "sys/cgroup.h"
#include "sys/procfs.h"

#define SLICE_DEPTH_MAX 16
#define KEPT_SLICE "machine.slice" /* not made and removed with every machine */

static bool is_marked(int fd) {
        char text[CGROUP_MARK_MAX + 1];

        return cgroup_marked(fd, text);
}

/* ---- one directory ---- */

/* Cuts the last component off a relative path; false when there is only one. */
static bool cut_last(char *path) {
        char *slash = strrchr(path, '/');

        if (slash)
                *slash = '\0';
        return slash;
}

/* Slices of ours that have become empty, from the inside out. */
static void remove_slices(int root_fd, char *slices, const char *keep) {
        for (int i = 0; i < SLICE_DEPTH_MAX; i++) {
                AUTO_CLOSE int fd = cgroup_open(root_fd, slices);
                bool ours = fd >= 0 && is_marked(fd);

                if (!ours || streq(slices, keep) || unlinkat(root_fd, slices, AT_REMOVEDIR) < 0 || !cut_last(slices))
                        return;
        }
}

static int remove_in(int root_fd, const struct cgroup_hierarchy *hierarchy, const char *path) {
        const char *below = cgroup_host_below(hierarchy, path);
        AUTO_CLOSE int fd = -EBADF;
        AUTO_FREE char *slices = NULL;
        int r;

        if (!below || streq(below, "."))
                return -EINVAL;
        fd = cgroup_open(root_fd, below);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (!is_marked(fd))
                return 0;
        slices = strdup(below);
        r = slices ? cgroup_remove(root_fd, below) : -ENOMEM;
        if (r < 0)
                return r;
        if (cut_last(slices))
                remove_slices(root_fd, slices, KEPT_SLICE);
        return 0;
}

/* ---- who was moved halfway ---- */

struct moving {
        const struct cgroup_host *h;
        int controller;
};

/* Moves a process to where it is in the tracking hierarchy, or as near to that as the other one has directories. */
static int move_to_its_own(void *userdata, const char *path, pid_t pid) {
        const struct moving *m = userdata;
        const struct cgroup_hierarchy *hierarchy = &m->h->layout.v1[m->controller];
        AUTO_FREE char *own = NULL, *below = NULL;
        int fd;

        if (cgroup_host_locate(m->h, pid, &own) < 0)
                return 0;
        below = strdup(strempty(cgroup_host_below(hierarchy, own)));
        if (!below)
                return -ENOMEM;
        do
                fd = cgroup_open(m->h->controller_fds[m->controller], below);
        while (fd == -ENOENT && cut_last(below));
        if (fd == -ENOENT)
                fd = cgroup_open(m->h->controller_fds[m->controller], ".");
        if (fd < 0)
                return 0;
        cgroup_attach(fd, pid); /* what is about to end cannot be moved, and need not be */
        close(fd);
        return 0;
}

/* Who is here but not in the tracking hierarchy's directory, which is gone, was on the way there when we were killed. */
static void let_go(const struct cgroup_host *h, int controller, const char *path) {
        const char *below = cgroup_host_below(&h->layout.v1[controller], path);
        AUTO_CLOSE int fd = below ? cgroup_open(h->controller_fds[controller], below) : -EBADF;
        struct moving m = { h, controller };

        if (fd >= 0)
                cgroup_each_process(fd, path, move_to_its_own, &m);
}

/* ---- everywhere ---- */

static bool is_empty(const struct cgroup_host *h, const char *path) {
        AUTO_CLOSE int fd = cgroup_host_open(h, path);

        return fd < 0 ? fd == -ENOENT : cgroup_is_populated(fd) == 0;
}

static int remove_elsewhere(const struct cgroup_host *h, const char *path) {
        int r = 0;

        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++) {
                int error = h->controller_fds[c] >= 0 ? remove_in(h->controller_fds[c], &h->layout.v1[c], path) : 0;

                if (error == -EBUSY && is_empty(h, path)) {
                        let_go(h, c, path);
                        error = remove_in(h->controller_fds[c], &h->layout.v1[c], path);
                }
                r = error < 0 ? error : r;
        }
        return r;
}

int cgroup_host_remove(struct cgroup_host *h, const char *path) {
        int r, error;

        if (h->tracking_fd < 0)
                return 0;
        r = remove_elsewhere(h, path);
        error = remove_in(h->tracking_fd, &h->layout.tracking, path);
        if (error < 0)
                return error;
        /* Hierarchies learn of a death one after the other; where it is watched for, there is nothing left to watch. */
        return r == -EBUSY ? -EAGAIN : r;
}

void cgroup_host_remove_slice(struct cgroup_host *h, const char *slice) {
        char path[256];

        snprintf(path, sizeof(path), "%s", slice);
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                if (h->controller_fds[c] >= 0)
                        remove_slices(h->controller_fds[c], path, "");
        if (h->tracking_fd >= 0)
                remove_slices(h->tracking_fd, path, "");
}

/* ---- what an earlier life has left ---- */

struct search {
        bool (*is_known)(void *userdata, const char *path);
        void (*found)(void *userdata, const char *path);
        void *userdata;
        int fd; /* the slice that is being looked through */
        const char *path;
        int depth;
};

static int look_at(void *userdata, const char *name);

static int look_through(struct search *s) {
        cgroup_clear_unfinished(s->fd);
        return cgroup_list(s->fd, look_at, s);
}

static int look_into(const struct search *s, int fd, const char *name, const char *path) {
        struct search below = *s;
        int r;

        below.fd = fd;
        below.path = path;
        below.depth++;
        r = below.depth < SLICE_DEPTH_MAX ? look_through(&below) : 0;
        if (is_marked(fd) && !streq(name, KEPT_SLICE))
                unlinkat(s->fd, name, AT_REMOVEDIR); /* it goes only when it is empty */
        return r;
}

static int look_at(void *userdata, const char *name) {
        const struct search *s = userdata;
        bool slice = endswith(name, ".slice");
        AUTO_CLOSE int fd = -EBADF;
        AUTO_FREE char *path = NULL;

        if (!slice && !endswith(name, ".scope"))
                return 0;
        if (asprintf(&path, "%s/%s", s->path, name) < 0) {
                path = NULL;
                return 0;
        }
        if (!slice && s->is_known && s->is_known(s->userdata, path))
                return 0;
        fd = cgroup_open(s->fd, name);
        if (fd < 0)
                return 0;
        if (slice)
                return look_into(s, fd, name, path);
        if (is_marked(fd))
                s->found(s->userdata, path);
        return 0;
}

static void search_hierarchy(int fd, const struct cgroup_hierarchy *hierarchy, struct search *s) {
        if (fd < 0)
                return;
        s->fd = fd;
        s->path = hierarchy->prefix;
        look_through(s);
}

void cgroup_host_each_scope(struct cgroup_host *h, bool (*is_known)(void *userdata, const char *path),
                            void (*found)(void *userdata, const char *path), void *userdata) {
        struct search s = { .is_known = is_known, .found = found, .userdata = userdata };

        search_hierarchy(h->tracking_fd, &h->layout.tracking, &s);
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                search_hierarchy(h->controller_fds[c], &h->layout.v1[c], &s);
}
