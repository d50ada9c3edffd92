/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's control group, in the hierarchies that identify a machine: cgroup2 where there is one, and name=systemd of v1,
 * where stock programs look (cgroups(7)). Made before the child, which is born in it or steps into it by itself: to move a
 * process from outside waits for a grace period of the kernel, several milliseconds. */
#include "muster-spawn/payload-cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "core/name.h"
#include "sys/cgroup-signal.h"
#include "sys/cgroup.h"
#include "sys/fileio.h"

#define ROOT "/sys/fs/cgroup"
#define PAYLOAD "payload"
#define SUPERVISOR "supervisor"
#define REMOVE_TRIES 200
#define REMOVE_PAUSE_NSEC 2000000

static bool is_type(const char *path, long type) {
        struct statfs fs;

        return statfs(path, &fs) == 0 && (long) fs.f_type == type;
}

static struct payload_cgroup_dir *add(struct payload_cgroup *c) {
        struct payload_cgroup_dir *d = &c->dirs[c->n_dirs];

        if (c->n_dirs == PAYLOAD_CGROUP_HIERARCHIES)
                return NULL;
        *d = (struct payload_cgroup_dir){ .top = -EBADF, .fd = -EBADF, .tasks = -EBADF };
        c->n_dirs++;
        return d;
}

/* "name=systemd" is mounted as systemd, controllers by their list. */
static int add_v1(struct payload_cgroup *c, const char *controllers, const char *own) {
        const char *name = startswith(controllers, "name=");
        AUTO_FREE char *mount = NULL;
        struct payload_cgroup_dir *d;

        if (asprintf(&mount, ROOT "/%s", name ? name : controllers) < 0)
                return -ENOMEM;
        d = add(c);
        if (!d)
                return -E2BIG;
        d->mount = STEAL(mount);
        d->name = strdup(name ? name : controllers);
        d->own = strdup(own);
        return d->name && d->own ? 0 : -ENOMEM;
}

static int add_v2(struct payload_cgroup *c, const char *mount, const char *name, const char *own) {
        struct payload_cgroup_dir *d = add(c);

        if (!d)
                return -E2BIG;
        d->v2 = true;
        d->mount = strdup(mount);
        d->name = strdup(name);
        d->own = strdup(own);
        return d->mount && d->name && d->own ? 0 : -ENOMEM;
}

/* One line of /proc/self/cgroup: "4:memory:/path", cgroup2: "0::/path". */
static int add_line(struct payload_cgroup *c, char *line) {
        char *controllers = strchr(line, ':'), *path;

        if (!controllers)
                return 0;
        *controllers++ = '\0';
        path = strchr(controllers, ':');
        if (!path)
                return 0;
        *path++ = '\0';
        if (*controllers)
                return c->kind == CGROUPS_UNIFIED ? 0 : add_v1(c, controllers, path);
        if (c->kind == CGROUPS_UNIFIED)
                return add_v2(c, ROOT, "", path);
        return c->kind == CGROUPS_HYBRID ? add_v2(c, ROOT "/unified", "unified", path) : 0;
}

int payload_cgroup_probe(struct payload_cgroup *ret) {
        AUTO_FREE char *text = NULL;
        int r;

        *ret = (struct payload_cgroup){ .birth = -EBADF };
        if (is_type(ROOT, CGROUP2_SUPER_MAGIC))
                ret->kind = CGROUPS_UNIFIED;
        else if (is_type(ROOT "/unified", CGROUP2_SUPER_MAGIC))
                ret->kind = CGROUPS_HYBRID;
        else if (is_type(ROOT "/systemd", CGROUP_SUPER_MAGIC))
                ret->kind = CGROUPS_V1;
        else
                return 0;
        r = read_record_at(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL);
        if (r < 0) {
                ret->kind = CGROUPS_NONE;
                return 0;
        }
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                r = add_line(ret, line);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A hierarchy in which the payload gets a group of its own. */
static bool tracks(const struct payload_cgroup_dir *d) {
        return d->v2 || streq(d->name, "systemd");
}

/* mkdir -p below dir_fd. */
static int make_path(int dir_fd, const char *path) {
        AUTO_FREE char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *slash = copy; slash;) {
                slash = strchr(slash + 1, '/');
                if (slash)
                        *slash = '\0';
                if (mkdirat(dir_fd, copy, 0755) < 0 && errno != EEXIST)
                        return -errno;
                if (slash)
                        *slash = '/';
        }
        return 0;
}

/* A group of that name without processes is what a runner that was killed left behind. */
static int make_scope(int top, const char *scope) {
        AUTO_CLOSE int fd = -EBADF;

        fd = cgroup_open(top, scope);
        if (fd >= 0) {
                if (cgroup_is_populated(fd) > 0)
                        return -EBUSY;
                cgroup_remove(top, scope);
        }
        return make_path(top, scope);
}

static int open_payload(struct payload_cgroup_dir *d, uint32_t owner) {
        AUTO_CLOSE int fd = cgroup_open(d->top, d->payload);

        if (fd < 0)
                return fd;
        if (owner)
                cgroup_give_to(fd, owner);
        if (!d->v2) {
                d->tasks = openat(fd, "tasks", O_WRONLY | O_CLOEXEC);
                if (d->tasks < 0)
                        return -errno;
        }
        d->fd = STEAL_FD(fd);
        return 0;
}

/* "+cpu +memory ...": all that the group has, to the groups below it. */
static void pass_controllers(int top, const char *path) {
        AUTO_CLOSE int fd = cgroup_open(top, *path ? path : ".");
        AUTO_FREE char *text = NULL;
        AUTO_BUF struct buf b = BUF_EMPTY;

        if (fd < 0 || read_record_at(fd, "cgroup.controllers", 4096, &text, NULL) < 0)
                return;
        for (char *rest = text, *word; (word = strsep(&rest, " \n"));)
                if (*word)
                        buf_printf(&b, "%s+%s", b.size ? " " : "", word);
        if (b.size > 0 && buf_error(&b) == 0)
                write_attribute_at(fd, "cgroup.subtree_control", b.data, b.size);
}

/* From the top down to the scope, so that they arrive in the payload's group. */
static void pass_controllers_down(const struct payload_cgroup_dir *d) {
        AUTO_FREE char *path = strdup(d->scope);

        if (!path || !d->v2)
                return;
        pass_controllers(d->top, "");
        for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                pass_controllers(d->top, path);
                *slash = '/';
        }
        pass_controllers(d->top, path);
}

/* scope is consumed. below: the payload's group is a child of it. */
static int make_in(struct payload_cgroup_dir *d, char *scope, bool below, const struct payload_cgroup_wish *wish) {
        AUTO_FREE char *path = scope;
        int r;

        if (d->top < 0)
                d->top = open(d->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->top < 0)
                return -errno;
        r = make_scope(d->top, path);
        if (r < 0)
                return r;
        d->scope = STEAL(path);
        if (asprintf(&d->payload, below ? "%s/" PAYLOAD : "%s", d->scope) < 0) {
                d->payload = NULL;
                return -ENOMEM;
        }
        if (wish->controllers && below)
                pass_controllers_down(d);
        if (below && mkdirat(d->top, d->payload, 0755) < 0)
                return -errno;
        return open_payload(d, wish->owner);
}

static int make_below_own(struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish) {
        const char *own = d->own + strspn(d->own, "/");
        bool unit = wish->place == PLACE_UNIT;
        char *scope;

        if (asprintf(&scope, "%s%s%s", own, *own ? "/" : "", unit ? PAYLOAD : wish->unit) < 0)
                return -ENOMEM;
        return make_in(d, scope, !unit, wish);
}

static int make_own_scope(struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish) {
        AUTO_FREE char *path = NULL;
        char *scope;
        int r = slice_path(wish->slice, &path);

        if (r < 0)
                return r;
        if (asprintf(&scope, "%s%s%s", path, *path ? "/" : "", wish->unit) < 0)
                return -ENOMEM;
        return make_in(d, scope, true, wish);
}

static bool may_not(int r) {
        return r == -EROFS || r == -EACCES || r == -EPERM || r == -ENOENT;
}

static int make_one(struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish) {
        int r = -EPERM;

        if (wish->place == PLACE_SCOPE)
                r = make_own_scope(d, wish);
        if (may_not(r))
                r = make_below_own(d, wish);
        return may_not(r) ? 0 : r;
}

/* What a service manager knows as our unit does not end where a runner before us moved to. */
static void leave_supervisor(struct payload_cgroup_dir *d) {
        char *end = (char *) endswith(d->own, "/" SUPERVISOR);

        if (end)
                *end = '\0';
}

int payload_cgroup_make(struct payload_cgroup *c, const struct payload_cgroup_wish *wish) {
        for (size_t i = 0; i < c->n_dirs; i++) {
                struct payload_cgroup_dir *d = &c->dirs[i];
                int r;

                if (!tracks(d))
                        continue;
                if (wish->place == PLACE_UNIT)
                        leave_supervisor(d);
                r = make_one(d, wish);
                if (r < 0)
                        return r;
                if (d->v2)
                        c->birth = d->fd;
        }
        return 0;
}

void payload_cgroup_settle(const struct payload_cgroup *c, const struct payload_cgroup_wish *wish) {
        for (size_t i = 0; wish->place == PLACE_UNIT && i < c->n_dirs; i++) {
                const struct payload_cgroup_dir *d = &c->dirs[i];
                AUTO_CLOSE int own = -EBADF, supervisor = -EBADF;

                if (!d->v2 || d->fd < 0)
                        continue;
                own = cgroup_open(d->top, d->own + strspn(d->own, "/"));
                if (own < 0 || (mkdirat(own, SUPERVISOR, 0755) < 0 && errno != EEXIST))
                        continue;
                supervisor = cgroup_open(own, SUPERVISOR);
                if (supervisor >= 0 && cgroup_attach(supervisor, getpid()) == 0 && wish->controllers)
                        pass_controllers(own, "");
        }
}

bool payload_cgroup_made(const struct payload_cgroup *c) {
        for (size_t i = 0; i < c->n_dirs; i++)
                if (c->dirs[i].fd >= 0)
                        return true;
        return false;
}

static void kill_all(const struct payload_cgroup_dir *d) {
        if (d->fd >= 0 && (!d->v2 || cgroup_kill_v2(d->fd) < 0))
                cgroup_signal(d->fd, SIGKILL);
}

/* The usual end: nobody is left, and nobody made groups of his own. */
static bool remove_empty(const struct payload_cgroup_dir *d) {
        return d->payload && (unlinkat(d->top, d->payload, AT_REMOVEDIR) == 0 || errno == ENOENT) &&
               (unlinkat(d->top, d->scope, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

/* A killed process stays in its group until it has been reaped: a short wait, which ends by itself. */
static void remove_with_content(const struct payload_cgroup_dir *d) {
        kill_all(d);
        for (int i = 0; i < REMOVE_TRIES; i++) {
                int r = cgroup_remove(d->top, d->scope);

                if (r != -EBUSY && r != -EAGAIN)
                        break;
                nanosleep(&(struct timespec){ .tv_nsec = REMOVE_PAUSE_NSEC }, NULL);
        }
}

void payload_cgroup_remove(struct payload_cgroup *c) {
        for (size_t i = 0; i < c->n_dirs; i++) {
                struct payload_cgroup_dir *d = &c->dirs[i];

                if (!d->scope)
                        continue;
                if (!remove_empty(d))
                        remove_with_content(d);
                free(d->scope);
                d->scope = NULL;
        }
}

static void close_fd(int fd) {
        if (fd >= 0)
                close(fd);
}

void payload_cgroup_done(struct payload_cgroup *c) {
        for (size_t i = 0; i < c->n_dirs; i++) {
                struct payload_cgroup_dir *d = &c->dirs[i];

                close_fd(d->fd);
                close_fd(d->tasks);
                close_fd(d->top);
                free(d->mount);
                free(d->name);
                free(d->own);
                free(d->scope);
                free(d->payload);
        }
        *c = (struct payload_cgroup){ .birth = -EBADF };
}
