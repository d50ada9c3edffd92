/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's control group, in the hierarchies that identify a machine: cgroup2 where there is one, and name=systemd of v1,
 * where stock programs look (cgroups(7)). Made before the child, which is born in it or steps into it by itself: to move a
 * process from outside waits for a grace period of the kernel, several milliseconds. */
#include "muster-spawn/payload-cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/cgroup-layout.h"
#include "core/name.h"
#include "sys/cgroup-signal.h"
#include "sys/cgroup.h"
#include "sys/fileio.h"

#define PAYLOAD "payload"
#define SUPERVISOR "supervisor"
#define KEPT_SLICE "machine.slice"
#define REMOVE_TRIES 200 /* 2 ms apart, the second half of them 50 ms: five seconds in all */
#define REMOVE_PAUSE_NSEC(i) ((i) < REMOVE_TRIES / 2 ? 2000000 : 50000000)

static void close_fd(int fd) {
        if (fd >= 0)
                close(fd);
}

/* A hierarchy by which the machine is known. */
static bool tracks(const struct payload_cgroup_dir *d) {
        return d->v2 || streq(d->name, "systemd");
}

/* A hierarchy of v1 whose controller limits the scope. A service manager sees to its own. */
static bool limits(const struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish) {
        for (int i = 0; wish->place != PLACE_UNIT && i < CGROUP_SYSTEMD; i++)
                if ((wish->limited & (1U << i)) &&
                    payload_cgroup_dir_has(d, cgroup_controller_to_string((enum cgroup_controller) i)))
                        return true;
        return false;
}

/* mkdir -p below dir_fd. *ret_kept: how much of the path was there already. */
static int make_path(int dir_fd, const char *path, size_t *ret_kept) {
        AUTO_FREE char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        *ret_kept = 0;
        for (char *slash = copy; slash;) {
                slash = strchr(slash + 1, '/');
                if (slash)
                        *slash = '\0';
                if (mkdirat(dir_fd, copy, 0755) < 0) {
                        if (errno != EEXIST)
                                return -errno;
                        *ret_kept = strlen(copy);
                }
                if (slash)
                        *slash = '/';
        }
        return 0;
}

/* A new cpuset of v1 has neither processors nor memory, and takes no process before it has. */
static void fill_cpusets(const struct payload_cgroup_dir *d, const char *group) {
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
        AUTO_FREE char *path = NULL;
        AUTO_CLOSE int above = -EBADF;

        if (!payload_cgroup_dir_has(d, "cpuset"))
                return;
        path = strdup(group);
        above = fcntl(d->top, F_DUPFD_CLOEXEC, 3);
        for (char *slash = path; slash;) {
                int fd;

                slash = strchr(slash + 1, '/');
                if (slash)
                        *slash = '\0';
                fd = cgroup_open(d->top, path);
                for (size_t i = 0; fd >= 0 && i < ELEMENTS(files); i++) {
                        AUTO_FREE char *own = NULL, *theirs = NULL;

                        if (read_record_at(fd, files[i], 4096, &own, NULL) >= 0 && !own[strspn(own, "\n")] &&
                            read_record_at(above, files[i], 4096, &theirs, NULL) >= 0)
                                write_attribute_text_at(fd, files[i], theirs);
                }
                close_fd(above);
                above = fd;
                if (slash)
                        *slash = '/';
        }
}

/* A group of that name without processes is what a runner that was killed left behind. */
static int make_scope(int top, const char *scope, size_t *ret_kept, bool *ret_stale) {
        const char *slash = strrchr(scope, '/');
        int r;

        if (mkdirat(top, scope, 0755) == 0) { /* most often */
                *ret_kept = slash ? (size_t) (slash - scope) : 0;
                return 0;
        }
        if (errno == EEXIST) {
                AUTO_CLOSE int fd = cgroup_open(top, scope);

                if (fd >= 0 && cgroup_is_populated(fd) > 0)
                        return -EBUSY;
                cgroup_remove(top, scope);
                *ret_stale = true;
        }
        r = make_path(top, scope, ret_kept);
        return r == -ENOENT ? make_path(top, scope, ret_kept) : r; /* somebody has just removed its slice */
}

static int open_payload(struct payload_cgroup_dir *d, uint32_t owner) {
        AUTO_CLOSE int fd = cgroup_open(d->top, d->payload);

        if (fd < 0)
                return fd;
        if (owner && tracks(d))
                cgroup_give_to(fd, owner);
        if (!d->v2) {
                d->tasks = openat(fd, "tasks", O_WRONLY | O_CLOEXEC);
                if (d->tasks < 0)
                        return -errno;
        }
        d->fd = STEAL_FD(fd);
        return 0;
}

/* All that the group has, to the groups below it: in one go, or where one of them cannot be had, each by itself. */
static void pass_controllers(int top, const char *path) {
        AUTO_CLOSE int fd = cgroup_open(top, *path ? path : ".");
        AUTO_FREE char *text = NULL;
        AUTO_BUF struct buf b = BUF_EMPTY;

        if (fd < 0 || read_record_at(fd, "cgroup.controllers", 4096, &text, NULL) < 0)
                return;
        for (char *rest = text, *word; (word = strsep(&rest, " \n"));)
                if (*word)
                        buf_printf(&b, "%s+%s", b.size ? " " : "", word);
        if (b.size == 0 || buf_error(&b) < 0 || write_attribute_at(fd, "cgroup.subtree_control", b.data, b.size) >= 0)
                return;
        for (char *rest = b.data, *word; (word = strsep(&rest, " "));)
                write_attribute_text_at(fd, "cgroup.subtree_control", word);
}

/* From the top down to the scope, so that they arrive in the payload's group when that is wanted. */
static void pass_controllers_down(const struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish) {
        AUTO_FREE char *path = strdup(d->scope);

        if (!path || !d->v2 || (!wish->controllers && !(wish->limited & ~(1U << CGROUP_DEVICES))))
                return;
        pass_controllers(d->top, "");
        for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                pass_controllers(d->top, path);
                *slash = '/';
        }
        if (wish->controllers)
                pass_controllers(d->top, path);
}

/* scope is consumed. below: the payload's group is a child of it. */
static int make_in(struct payload_cgroup_dir *d, char *scope, bool below, const struct payload_cgroup_wish *wish) {
        AUTO_FREE char *path = scope;
        int r;

        if (d->top < 0)
                d->top = openat(AT_FDCWD, d->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d->top < 0)
                return -errno;
        r = make_scope(d->top, path, &d->kept, &d->stale);
        if (r < 0)
                return r;
        d->scope = STEAL(path);
        below = below && !payload_cgroup_dir_has(d, "blkio"); /* whose limits do not reach groups below */
        if (asprintf(&d->payload, below ? "%s/" PAYLOAD : "%s", d->scope) < 0) {
                d->payload = NULL;
                return -ENOMEM;
        }
        if (below)
                pass_controllers_down(d, wish);
        fill_cpusets(d, d->scope);
        return 0;
}

/* Where the scope goes; malloc'ed. */
static int scope_path(const struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish,
                      enum payload_cgroup_place place, char **ret) {
        AUTO_FREE char *slice = NULL;
        const char *above = d->own + strspn(d->own, "/");
        char *path;
        int r;

        if (place == PLACE_SCOPE) {
                r = slice_path(wish->slice, &slice);
                if (r < 0)
                        return r;
                above = slice;
        }
        if (asprintf(&path, "%s%s%s", above, *above ? "/" : "", place == PLACE_UNIT ? PAYLOAD : wish->unit) < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}

static int make_at(struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish,
                   enum payload_cgroup_place place) {
        char *path;
        int r = scope_path(d, wish, place, &path);

        return r < 0 ? r : make_in(d, path, place != PLACE_UNIT, wish);
}

static bool may_not(int r) {
        return r == -EROFS || r == -EACCES || r == -EPERM || r == -ENOENT;
}

/* To be born elsewhere is to move there, and whoever moves a process has to be allowed to write to cgroup.procs of the group above both
 * places (the kernel's admin-guide/cgroup-v2.rst, "Delegation Containment"). Without root that is our own group, if any. */
static bool may_move(const struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish) {
        AUTO_FREE char *path = NULL;

        if (!wish->unprivileged || !d->v2)
                return true;
        return asprintf(&path, "%s%s/cgroup.procs", d->mount, d->own) >= 0 && access(path, W_OK) == 0;
}

static int make_one(struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish) {
        int r;

        if (!may_move(d, wish))
                return 0;
        r = make_at(d, wish, wish->place);

        if (may_not(r) && wish->place == PLACE_SCOPE)
                r = make_at(d, wish, PLACE_BELOW);
        return may_not(r) ? 0 : r;
}

/* What a runner that was killed has left where this one makes nothing; a group with processes in it stays. */
static void remove_stale(const struct payload_cgroup_dir *d, const struct payload_cgroup_wish *wish,
                         enum payload_cgroup_place place) {
        AUTO_CLOSE int top = openat(AT_FDCWD, d->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        AUTO_FREE char *path = NULL;

        if (top >= 0 && scope_path(d, wish, place, &path) >= 0)
                cgroup_remove(top, path);
}

void payload_cgroup_clean(const struct payload_cgroup *c, const struct payload_cgroup_wish *wish) {
        for (size_t i = 0; i < c->n_dirs; i++) {
                remove_stale(&c->dirs[i], wish, PLACE_SCOPE);
                remove_stale(&c->dirs[i], wish, PLACE_BELOW);
        }
}

/* What a service manager knows as our unit does not end where a runner before us moved to. */
static void leave_supervisor(struct payload_cgroup_dir *d) {
        char *end = (char *) endswith(d->own, "/" SUPERVISOR);

        if (end)
                *end = '\0';
}

int payload_cgroup_make(struct payload_cgroup *c, const struct payload_cgroup_wish *wish) {
        bool stale = false;

        for (size_t i = 0; i < c->n_dirs; i++) {
                struct payload_cgroup_dir *d = &c->dirs[i];
                int r;

                if (!tracks(d) && !limits(d, wish))
                        continue;
                if (wish->place == PLACE_UNIT)
                        leave_supervisor(d);
                r = make_one(d, wish);
                if (r < 0)
                        return r;
                stale = stale || d->stale;
        }
        for (size_t i = 0; stale && i < c->n_dirs; i++)
                if (!c->dirs[i].scope)
                        remove_stale(&c->dirs[i], wish, wish->place);
        return 0;
}

int payload_cgroup_open(struct payload_cgroup *c, const struct payload_cgroup_wish *wish) {
        for (size_t i = 0; i < c->n_dirs; i++) {
                struct payload_cgroup_dir *d = &c->dirs[i];
                int r;

                if (!d->scope)
                        continue;
                if (!streq(d->payload, d->scope) && mkdirat(d->top, d->payload, 0755) < 0)
                        return -errno;
                fill_cpusets(d, d->payload);
                r = open_payload(d, wish->owner);
                if (r < 0 && !may_not(r))
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

/* A killed process stays in its group until it has been reaped: a short wait, which ends by itself, on a busy host later. Somebody who
 * was about to run a command there may come in after the first signal. */
static void remove_with_content(const struct payload_cgroup_dir *d) {
        for (int i = 0; i < REMOVE_TRIES; i++) {
                int r;

                if (i % (REMOVE_TRIES / 10) == 0)
                        kill_all(d);
                r = cgroup_remove(d->top, d->scope);
                if (r != -EBUSY && r != -EAGAIN)
                        break;
                nanosleep(&(struct timespec){ .tv_nsec = REMOVE_PAUSE_NSEC(i) }, NULL);
        }
}

/* Those that we made, and nobody else uses; but the one that the next machine wants again. */
static void remove_slices(const struct payload_cgroup_dir *d) {
        for (char *slash; (slash = strrchr(d->scope, '/'));) {
                *slash = '\0';
                if (strlen(d->scope) <= d->kept || streq(d->scope, KEPT_SLICE) ||
                    unlinkat(d->top, d->scope, AT_REMOVEDIR) < 0)
                        break;
        }
}

void payload_cgroup_remove(struct payload_cgroup *c) {
        for (size_t i = 0; i < c->n_dirs; i++) {
                struct payload_cgroup_dir *d = &c->dirs[i];

                if (!d->scope)
                        continue;
                if (!remove_empty(d))
                        remove_with_content(d);
                remove_slices(d);
                free(d->scope);
                d->scope = NULL;
        }
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
