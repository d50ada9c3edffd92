/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making the directories of a scope, and limiting it. On v1 a scope stands in several hierarchies; the tracking one is made
 * first and removed last (cgroup-remove.c), for it is the one that says whose the name is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backend/cgroup-host.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/cgroup-limits.h"
#include "codec/proc-text.h"
#include "core/name.h"
#include "sys/block-device.h"
#include "sys/cgroup.h"
#include "sys/fileio.h"
#include "sys/procfs.h"

static bool is_marked(int fd) {
        char text[CGROUP_MARK_MAX + 1];

        return cgroup_marked(fd, text);
}

/* ---- paths ---- */

/* "/prefix/a.slice/x.scope" -> parent below the prefix ("a.slice" or ".") and last component, both in buf. */
struct split_path {
        char buf[4096];
        const char *parent, *name;
};

static int split(const struct cgroup_hierarchy *h, const char *path, struct split_path *ret) {
        const char *below = cgroup_host_below(h, path);
        char *slash;

        if (!below || streq(below, "."))
                return -EINVAL;
        if (strlen(below) >= sizeof(ret->buf))
                return -ENAMETOOLONG;
        strcpy(ret->buf, below); /* checked one line up */
        slash = strrchr(ret->buf, '/');
        if (slash)
                *slash = '\0';
        ret->parent = slash ? ret->buf : ".";
        ret->name = slash ? slash + 1 : ret->buf;
        return 0;
}

/* ---- slices ---- */

/* A new v1 cpuset has neither processors nor memory, and takes no process before it has. */
static void fill_cpuset(int parent_fd, int fd) {
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                AUTO_FREE char *text = NULL;

                if (read_file_at(parent_fd, files[i], 4096, &text, NULL) >= 0)
                        write_attribute_text_at(fd, files[i], text);
        }
}

/* Lets the children of fd have the controllers that fd has. One at a time: one that cannot be had does not cost the others.
 * -EBUSY is usual where fd holds processes, and matters only when a limit needs the controller, which is noticed then. */
static void enable_controllers(int fd, unsigned available) {
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++) {
                char text[32];

                if (!(available & (1U << c)))
                        continue;
                snprintf(text, sizeof(text), "+%s", cgroup_controller_v2_name((enum cgroup_controller) c));
                write_attribute_text_at(fd, "cgroup.subtree_control", text);
        }
}

static int mark(int fd, const char *text, const char *note) {
        int r = cgroup_mark(fd, text);

        return r >= 0 && note ? cgroup_note(fd, note) : r;
}

/* A directory with its mark, and its note if there is one: both, or there is no directory, even if we are killed meanwhile. */
static int make_marked(int parent_fd, const char *name, const char *text, const char *note, bool cpuset) {
        AUTO_CLOSE int fd = -EBADF;
        int r;

        cgroup_begin(parent_fd, name);
        fd = cgroup_make(parent_fd, name);
        r = fd;
        if (fd >= 0) {
                if (cpuset)
                        fill_cpuset(parent_fd, fd);
                r = mark(fd, text, note);
                if (r < 0)
                        cgroup_remove(parent_fd, name);
        }
        cgroup_finish(parent_fd);
        return r < 0 ? r : STEAL_FD(fd);
}

/* Opens the slice that holds scopes, making what is missing. */
static int open_slice(int root_fd, const char *slices, unsigned enable, bool cpuset) {
        AUTO_FREE char *copy = strdup(slices);
        AUTO_CLOSE int fd = -EBADF;
        char *rest = copy, *name;

        if (!copy)
                return -ENOMEM;
        fd = cgroup_open(root_fd, slices);
        if (fd >= 0 || fd != -ENOENT)
                return STEAL_FD(fd);
        fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        enable_controllers(fd, enable);
        while ((name = strsep(&rest, "/"))) {
                int next = cgroup_open(fd, name);

                if (next == -ENOENT)
                        next = make_marked(fd, name, CGROUP_MARK_SLICE, NULL, cpuset);
                if (next < 0)
                        return next;
                close(fd);
                fd = next;
                enable_controllers(fd, enable);
        }
        return STEAL_FD(fd);
}

/* ---- limits ---- */

static int device_of(void *userdata, const struct io_limit *limit, char *ret, size_t size) {
        return block_device_of(limit->path, ret, size);
}

static int make_limits(struct cgroup_host *h, const struct scope_properties *props, struct limit_writes *ret,
                       struct diag *d) {
        return cgroup_limits_make(props, h->layout.mode == CGROUP_V2, h->available, device_of, NULL, ret, d);
}

int cgroup_host_check(struct cgroup_host *h, const struct scope_properties *props, struct diag *d) {
        struct limit_writes writes = { NULL, 0 };
        int r = make_limits(h, props, &writes, d);

        limit_writes_done(&writes);
        return r;
}

static int write_limit(int fd, const struct limit_write *w, const char *path, struct diag *d) {
        AUTO_FREE char *got = NULL;
        int r;

        r = cgroup_set(fd, w->file, w->value, &got);
        if (r < 0)
                return diag_set(d, r == -ENOENT ? -EOPNOTSUPP : r, w->property, "%s cannot be set to %s here: %s.",
                                w->property, w->value, strerror(-r));
        if (r > 0)
                log_warning("%s of %s is %.60s, not %s: the kernel has adjusted it.", w->property, path, strempty(got),
                            w->value);
        return 0;
}

static int write_limits(int fd, const struct limit_writes *writes, int controller, const char *path, struct diag *d) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < writes->n; i++)
                if (controller < 0 || (int) writes->writes[i].controller == controller)
                        r = write_limit(fd, &writes->writes[i], path, d);
        return r;
}

static unsigned controllers_needed(const struct cgroup_host *h, const struct limit_writes *writes) {
        unsigned needed = 0;

        for (size_t i = 0; i < writes->n; i++)
                needed |= 1U << writes->writes[i].controller;
        if (h->layout.mode == CGROUP_V1) /* for killing without losing a fork */
                needed |= h->available & (1U << CGROUP_FREEZER);
        /* As a service manager has it. Without it nspawn makes the scope there on its own, and nobody removes it. */
        if (h->layout.mode == CGROUP_HYBRID)
                needed |= h->available & (1U << CGROUP_SYSTEMD);
        return needed;
}

/* ---- one hierarchy ---- */

struct making {
        struct cgroup_host *h;
        const char *mark, *note; /* whose it is: cgroup_mark(), and cgroup_note() or NULL */
        const char *path;
        const struct limit_writes *writes;
        uid_t uid;
        pid_t pid;
        struct diag *d;
        unsigned needed; /* bit per v1 controller whose hierarchy gets a directory */
        char *before;    /* /proc/PID/cgroup before anything was moved; NULL: a failed move has moved nothing */
        size_t before_size;
};

/* Makes the scope in one hierarchy and limits it. controller -1: the tracking one. */
static int make_in(const struct making *k, int root_fd, const struct cgroup_hierarchy *hierarchy, int controller) {
        bool v2 = k->h->layout.mode == CGROUP_V2;
        AUTO_CLOSE int slice = -EBADF, fd = -EBADF;
        struct split_path p;
        int r;

        r = split(hierarchy, k->path, &p);
        if (r < 0)
                return r;
        slice = open_slice(root_fd, p.parent, v2 ? k->h->available : 0, controller == CGROUP_CPUSET);
        if (slice < 0)
                return slice;
        fd = make_marked(slice, p.name, k->mark, controller < 0 ? k->note : NULL, controller == CGROUP_CPUSET);
        if (fd < 0)
                return fd;
        if (controller >= 0 || v2)
                r = write_limits(fd, k->writes, v2 ? -1 : controller, k->path, k->d);
        if (r >= 0 && k->uid != 0 && controller < 0)
                r = cgroup_give_to(fd, k->uid);
        return r < 0 ? r : 0;
}

/* Controllers that are mounted together are one hierarchy, which goes by the first of them. */
static bool is_second_name(const struct cgroup_layout *l, int controller, unsigned among) {
        for (int c = 0; c < controller; c++)
                if ((among & (1U << c)) && streq(l->v1[c].mount, l->v1[controller].mount))
                        return true;
        return false;
}

/* Moves the leader in everywhere, the tracking hierarchy last: who is seen there is in his limits. */
static int attach_everywhere(struct making *k) {
        struct cgroup_host *h = k->h;
        AUTO_CLOSE int fd = cgroup_host_open(h, k->path);
        int r = fd;

        if (r >= 0 && k->needed)
                r = proc_read(k->pid, "cgroup", &k->before, &k->before_size);
        for (int c = 0; r >= 0 && c < _CGROUP_CONTROLLER_MAX; c++) {
                const char *below = k->needed & (1U << c) ? cgroup_host_below(&h->layout.v1[c], k->path) : NULL;
                AUTO_CLOSE int one = below ? cgroup_open(h->controller_fds[c], below) : -EBADF;

                if (below)
                        r = one < 0 ? one : cgroup_attach(one, k->pid);
        }
        return r < 0 ? r : cgroup_attach(fd, k->pid);
}

/* The limits of a controller whose hierarchy has its directory already. */
static int limit_again(const struct making *k, int controller) {
        const char *below = cgroup_host_below(&k->h->layout.v1[controller], k->path);
        AUTO_CLOSE int fd = below ? cgroup_open(k->h->controller_fds[controller], below) : -ENOENT;

        return fd < 0 ? fd : write_limits(fd, k->writes, controller, k->path, k->d);
}

/* pids.max as stock scopes have it, where that costs nothing. */
static int default_tasks(struct cgroup_host *h, const char *path) {
        AUTO_CLOSE int fd = cgroup_host_open(h, path);
        char text[16];

        if (fd < 0)
                return fd;
        snprintf(text, sizeof(text), "%d", DEFAULT_TASKS_MAX);
        return write_attribute_text_at(fd, "pids.max", text);
}

static int make_everywhere(struct making *k, bool tasks_given) {
        struct cgroup_host *h = k->h;
        unsigned needed = h->layout.mode == CGROUP_V2 ? 0 : controllers_needed(h, k->writes);
        int r;

        r = make_in(k, h->tracking_fd, &h->layout.tracking, -1);
        if (r >= 0 && h->layout.mode == CGROUP_V2 && !tasks_given && (h->available & (1U << CGROUP_PIDS)))
                default_tasks(h, k->path); /* a default, not a promise */
        for (int c = 0; r >= 0 && c < _CGROUP_CONTROLLER_MAX; c++) {
                if (!(needed & (1U << c)))
                        continue;
                if (is_second_name(&h->layout, c, needed)) {
                        r = limit_again(k, c);
                        continue;
                }
                r = make_in(k, h->controller_fds[c], &h->layout.v1[c], c);
                k->needed |= r >= 0 ? 1U << c : 0;
                if (r == -EEXIST && c == CGROUP_SYSTEMD)
                        r = 0;    /* no limits there, and the name is ours where it counts: let it be */
                if (r == -EEXIST) /* the name was free where it counts: left over from somebody's crash */
                        r = diag_set(k->d, -EBUSY, NULL, "The control group %s of another program stands in the way.",
                                     k->path);
        }
        return r < 0 ? r : attach_everywhere(k);
}

/* Puts the leader back where it was in one of the hierarchies that we have moved it in. */
static void move_back(const struct making *k, int controller) {
        const struct cgroup_hierarchy *hierarchy = &k->h->layout.v1[controller];
        AUTO_CLOSE int fd = -EBADF;
        AUTO_FREE char *path = NULL;
        const char *below;

        if (proc_cgroup_decode(k->before, k->before_size,
                               cgroup_controller_to_string((enum cgroup_controller) controller), &path) < 0)
                return;
        below = cgroup_host_below(hierarchy, path);
        fd = below ? cgroup_open(k->h->controller_fds[controller], below) : -ENOENT;
        if (fd >= 0)
                cgroup_attach(fd, k->pid);
}

/* A failed move in the tracking hierarchy, the last one, has moved nothing there. */
static void undo(const struct making *k) {
        for (int c = 0; k->before && c < _CGROUP_CONTROLLER_MAX; c++)
                if (k->needed & (1U << c))
                        move_back(k, c);
        cgroup_host_remove(k->h, k->path);
}

int cgroup_host_create(struct cgroup_host *h, const struct cgroup_wanted *w, const struct scope_properties *props,
                       struct diag *d) {
        struct limit_writes writes = { NULL, 0 };
        struct making k = { .h = h,
                            .mark = w->mark,
                            .note = w->note,
                            .path = w->path,
                            .writes = &writes,
                            .uid = w->uid,
                            .pid = w->pid,
                            .d = d };
        int r;

        r = make_limits(h, props, &writes, d);
        if (r < 0)
                return r;
        r = make_everywhere(&k, scope_has(props, RESOURCE_TASKS_MAX));
        if (r < 0 && r != -EEXIST)
                undo(&k);
        free(k.before);
        limit_writes_done(&writes);
        return r;
}

/* A scope has directories where its limits are. */
int cgroup_host_join(struct cgroup_host *h, const char *path, pid_t pid) {
        AUTO_CLOSE int fd = cgroup_host_open(h, path);
        int r = fd < 0 ? fd : 0;

        for (int c = 0; r >= 0 && c < _CGROUP_CONTROLLER_MAX; c++) {
                const char *below = h->controller_fds[c] >= 0 ? cgroup_host_below(&h->layout.v1[c], path) : NULL;
                AUTO_CLOSE int one = below ? cgroup_open(h->controller_fds[c], below) : -EBADF;

                if (one >= 0 && is_marked(one))
                        r = cgroup_attach(one, pid);
        }
        return r < 0 ? r : cgroup_attach(fd, pid);
}

static int change_limit(struct cgroup_host *h, const char *path, const struct limit_write *w, struct diag *d) {
        bool v2 = h->layout.mode == CGROUP_V2;
        const struct cgroup_hierarchy *hierarchy = v2 ? &h->layout.tracking : &h->layout.v1[w->controller];
        int root_fd = v2 ? h->tracking_fd : h->controller_fds[w->controller];
        const char *below = root_fd >= 0 ? cgroup_host_below(hierarchy, path) : NULL;
        AUTO_CLOSE int fd = below ? cgroup_open(root_fd, below) : -ENOENT;

        /* v1: its processes would have to be moved, and those that they fork meanwhile. */
        if (fd == -ENOENT || (fd >= 0 && !is_marked(fd)))
                return diag_set(d, -EOPNOTSUPP, w->property,
                                "On cgroup v1 %s can be changed only where the scope began with a limit of its kind.",
                                w->property);
        return fd < 0 ? fd : write_limit(fd, w, path, d);
}

int cgroup_host_limit(struct cgroup_host *h, const char *path, const struct scope_properties *props, struct diag *d) {
        struct limit_writes writes = { NULL, 0 };
        int r = cgroup_host_is_ours(h, path);

        if (r <= 0)
                return r == 0 ? -EPERM : r;
        r = make_limits(h, props, &writes, d);
        for (size_t i = 0; r >= 0 && i < writes.n; i++)
                r = change_limit(h, path, &writes.writes[i], d);
        limit_writes_done(&writes);
        return r;
}

int cgroup_host_scope_path(const struct cgroup_host *h, const char *slice, const char *unit, char **ret) {
        AUTO_FREE char *below = NULL;
        int r = slice_path(slice, &below);

        if (r < 0)
                return r;
        if (asprintf(ret, "%s%s%s/%s", h->layout.tracking.prefix, *below ? "/" : "", below, unit) >= 0)
                return 0;
        *ret = NULL;
        return -ENOMEM;
}

int cgroup_host_is_ours(const struct cgroup_host *h, const char *path) {
        AUTO_CLOSE int fd = cgroup_host_open(h, path);

        return fd < 0 ? fd : is_marked(fd);
}
