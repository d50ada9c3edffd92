/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's control group, in the hierarchies that identify a machine: cgroup2 where there is one, and name=systemd of v1,
 * where stock programs look (cgroups(7)). Made before the child, which is born in it or steps into it by itself: to move a
 * process from outside waits for a grace period of the kernel, several milliseconds. */
#include "muster-spawn/payload-cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

static int open_payload(struct payload_cgroup_dir *d, int top, const char *payload, uint32_t owner) {
        AUTO_CLOSE int fd = cgroup_open(top, payload);

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

/* scope: path below the mount point. */
static int make_in(struct payload_cgroup_dir *d, const char *scope, uint32_t owner) {
        AUTO_FREE char *payload = NULL;
        int r;

        if (d->top < 0)
                d->top = open(d->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->top < 0)
                return -errno;
        if (asprintf(&payload, "%s/" PAYLOAD, scope) < 0)
                return -ENOMEM;
        r = make_scope(d->top, scope);
        if (r < 0)
                return r;
        d->scope = strdup(scope);
        if (!d->scope)
                return -ENOMEM;
        if (mkdirat(d->top, payload, 0755) < 0)
                return -errno;
        return open_payload(d, d->top, payload, owner);
}

/* Below our own group: UNIT there, so that several runners can share it. */
static int make_below_own(struct payload_cgroup_dir *d, const char *unit, uint32_t owner) {
        const char *own = d->own + strspn(d->own, "/");
        AUTO_FREE char *scope = NULL;

        if (asprintf(&scope, "%s%s%s", own, *own ? "/" : "", unit) < 0)
                return -ENOMEM;
        return make_in(d, scope, owner);
}

static int make_one(struct payload_cgroup_dir *d, const char *slice, const char *unit, bool keep_unit, uint32_t owner) {
        AUTO_FREE char *path = NULL, *scope = NULL;
        int r = -EROFS;

        if (!keep_unit) {
                r = slice_path(slice, &path);
                if (r < 0)
                        return r;
                if (asprintf(&scope, "%s%s%s", path, *path ? "/" : "", unit) < 0)
                        return -ENOMEM;
                r = make_in(d, scope, owner);
        }
        if (r == -EROFS || r == -EACCES || r == -EPERM || r == -ENOENT)
                r = make_below_own(d, unit, owner);
        return r == -EROFS || r == -EACCES || r == -EPERM || r == -ENOENT ? 0 : r;
}

int payload_cgroup_make(struct payload_cgroup *c, const char *slice, const char *unit, bool keep_unit, uint32_t owner) {
        for (size_t i = 0; i < c->n_dirs; i++) {
                int r;

                if (!tracks(&c->dirs[i]))
                        continue;
                r = make_one(&c->dirs[i], slice, unit, keep_unit, owner);
                if (r < 0)
                        return r;
                if (c->dirs[i].v2)
                        c->birth = c->dirs[i].fd;
        }
        return 0;
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
        char payload[PATH_MAX];
        int n = snprintf(payload, sizeof(payload), "%s/" PAYLOAD, d->scope);

        return n > 0 && n < (int) sizeof(payload) &&
               (unlinkat(d->top, payload, AT_REMOVEDIR) == 0 || errno == ENOENT) &&
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
        }
        *c = (struct payload_cgroup){ .birth = -EBADF };
}
