/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First the layers are opened, then an overlay is made of them. A layer that is a mount of its own (a file system in memory, a mapped
 * copy) is nowhere attached; kernels before 6.15 want it attached in the mount namespace of who makes the overlay. Then a child
 * with a mount namespace for just that makes it, and hands it over: the layers stay alive in it, and the namespace goes. */
#include "muster-spawn/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-spawn/channel.h"
#include "muster-spawn/idmap-ns.h"
#include "muster-spawn/throw-away.h"
#include "sys/mountfd.h"

#define PATH_OF_FD "/proc/self/fd/%d"
#define PATH_OF_FD_SIZE 32
#define LAYERS_MAX 64

struct layers {
        int fds[LAYERS_MAX]; /* of those that are named by a descriptor */
        bool detached[LAYERS_MAX];
        size_t n_fds;
        char *lower; /* for lowerdir=: escaped, the top one first */
        char *upper, *work;
        bool keeps_nothing; /* nobody has to wait until it is on the disk */
};

static void layers_done(struct layers *l) {
        for (size_t i = 0; i < l->n_fds; i++)
                close(l->fds[i]);
        free(l->lower);
        free(l->upper);
        free(l->work);
}

/* fd is consumed; it has to stay open until the overlay is made. */
static int hold(struct layers *l, int fd, bool detached) {
        if (fd < 0)
                return fd;
        if (l->n_fds == LAYERS_MAX) {
                close(fd);
                return -E2BIG;
        }
        l->detached[l->n_fds] = detached;
        l->fds[l->n_fds++] = fd;
        return fd;
}

/* Paths of overlayfs are lists: ':' and '\' are escaped. */
static int append_layer(struct buf *b, const char *path) {
        if (b->size > 0)
                buf_append_char(b, ':');
        for (; *path; path++) {
                if (*path == ':' || *path == '\\')
                        buf_append_char(b, '\\');
                buf_append_char(b, *path);
        }
        return buf_error(b);
}

/* "+PATH" is below the container's tree: it becomes the path of a descriptor. */
static int open_inside(const struct step *s, const char *path, struct layers *l, char buffer[static PATH_OF_FD_SIZE],
                       const char **ret) {
        int fd;

        *ret = path;
        if (*path != '+')
                return 0;
        fd = hold(l, tree_open_below(s->type, path + 1), false);
        if (fd < 0)
                return fd;
        snprintf(buffer, PATH_OF_FD_SIZE, PATH_OF_FD, fd);
        *ret = buffer;
        return 0;
}

/* A layer whose owners are shown as others. */
static int open_mapped(const struct step *s, const char *path, struct layers *l, char buffer[static PATH_OF_FD_SIZE],
                       const char **ret) {
        int fd = hold(l, idmap_clone(path, (uint32_t) s->number[0], s->node.uid, (uint32_t) s->number[1]), true);

        if (fd < 0)
                return fd;
        snprintf(buffer, PATH_OF_FD_SIZE, PATH_OF_FD, fd);
        *ret = buffer;
        return 0;
}

static int open_lower(const struct step *s, struct layers *l) {
        AUTO_BUF struct buf list = BUF_EMPTY;

        for (size_t i = 0; s->strings && s->strings[i]; i++) {
                char buffer[PATH_OF_FD_SIZE];
                const char *path;
                int r = s->number[1] ? open_mapped(s, s->strings[i], l, buffer, &path)
                                     : open_inside(s, s->strings[i], l, buffer, &path);

                if (r >= 0)
                        r = append_layer(&list, path);
                if (r < 0)
                        return r;
        }
        return buf_steal(&list, &l->lower);
}

/* An upper directory that the user named: the work directory has to be on the same file system, so it is made beside it. */
static int open_upper_of_user(struct execution *x, const struct step *s, struct layers *l) {
        char buffer[PATH_OF_FD_SIZE];
        const char *upper;
        int r;

        if (*s->source == '+')
                return -EOPNOTSUPP;
        r = open_inside(s, s->source, l, buffer, &upper);
        if (r < 0)
                return r;
        l->upper = strdup(upper);
        l->work = throw_away_beside(s->source);
        if (!l->upper || !l->work)
                return -ENOMEM;
        throw_away_clean_beside(s->source);
        return tree_make_temporary(x, l->work);
}

/* Upper and work directories below one that is not the container's. */
static int make_upper(struct layers *l, int top, const char *name, const struct step *s) {
        if ((mkdirat(top, name, 0755) < 0 && errno != EEXIST) || (mkdirat(top, "work", 0700) < 0 && errno != EEXIST))
                return -errno;
        /* The root of the overlay has the owner of this directory. */
        if (s->options && s->node.uid && fchownat(top, name, s->node.uid, s->node.gid, 0) < 0)
                return -errno;
        if (asprintf(&l->upper, PATH_OF_FD "/%s", top, name) < 0 || asprintf(&l->work, PATH_OF_FD "/work", top) < 0)
                return -ENOMEM;
        return 0;
}

static int open_directory(const char *path) {
        int fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd;
}

static int open_upper(struct execution *x, const struct step *s, struct layers *l) {
        const char *path;
        int fd;

        if (s->flags & STEP_THROW_AWAY) {
                int r = tree_throw_away(x, s->node.uid, &path);

                if (r < 0)
                        return r;
                fd = hold(l, open_directory(x->throw_away[strv_length(x->throw_away) - 2]), false);
                return fd < 0 ? fd : make_upper(l, fd, "src", s);
        }
        if (s->options) { /* in memory, and gone with the last mount */
                fd = hold(l, mount_make("tmpfs", s->options, s->label, 0), true);
                return fd < 0 ? fd : make_upper(l, fd, "upper", s);
        }
        if (s->tree != TREE_ROOT || s->type) /* with a type: --overlay=...:/ */
                return open_upper_of_user(x, s, l);
        l->keeps_nothing = true;
        fd = hold(l, open_directory(s->source), false);
        return fd < 0 ? fd : make_upper(l, fd, "upper", s);
}

static int make_of(const struct layers *l, uint64_t attributes) {
        AUTO_CLOSE int context = mount_context("overlay");
        int r;

        if (context < 0)
                return context;
        r = mount_context_set(context, "source", "overlay");
        if (r >= 0)
                r = mount_context_set(context, "lowerdir", l->lower);
        if (r >= 0 && l->upper)
                r = mount_context_set(context, "upperdir", l->upper);
        if (r >= 0 && l->work)
                r = mount_context_set(context, "workdir", l->work);
        if (r >= 0 && l->keeps_nothing)
                r = mount_context_set(context, "volatile", NULL);
        return r < 0 ? r : mount_context_finish(context, attributes);
}

static bool any_detached(const struct layers *l) {
        for (size_t i = 0; i < l->n_fds; i++)
                if (l->detached[i])
                        return true;
        return false;
}

/* The same directory, by way of this process's own copy of the mounts. */
static int reopen_here(int fd) {
        char link[PATH_OF_FD_SIZE], path[PATH_MAX];
        ssize_t n;
        int here;

        snprintf(link, sizeof(link), PATH_OF_FD, fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return -errno;
        path[n] = '\0';
        here = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (here < 0 || dup3(here, fd, O_CLOEXEC) < 0)
                return -errno;
        return 0;
}

/* In a mount namespace of its own. Where the layers are attached does not matter, for they are named by descriptors: on top of each
 * other on the root, which this process does not see, because its root is below. */
static _Noreturn void make_in_child(const struct layers *l, uint64_t attributes, int channel) {
        int r = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;

        for (size_t i = 0; r >= 0 && i < l->n_fds; i++)
                r = l->detached[i] ? mount_attach(l->fds[i], AT_FDCWD, "/", false) : reopen_here(l->fds[i]);
        if (r >= 0)
                r = make_of(l, attributes);
        channel_send(channel, r < 0 ? CHANNEL_ERROR : CHANNEL_MOUNT, 0, r < 0 ? r : 0, r);
        _exit(0);
}

static int make_elsewhere(const struct layers *l, uint64_t attributes) {
        struct clone_args args = { .flags = CLONE_NEWNS, .exit_signal = SIGCHLD };
        struct channel_message m = { 0 };
        int pair[2], fd = -EBADF, r;
        pid_t pid;

        r = channel_pair(pair);
        if (r < 0)
                return r;
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0)
                make_in_child(l, attributes, pair[1]);
        r = pid < 0 ? -errno : 0;
        close(pair[1]);
        if (r >= 0)
                r = channel_receive(pair[0], &m, &fd);
        close(pair[0]);
        if (pid > 0)
                waitpid(pid, NULL, 0);
        if (r < 0)
                return r;
        return m.kind == CHANNEL_MOUNT && fd >= 0 ? fd : m.error < 0 ? m.error : -EPROTO;
}

int overlay_make(struct execution *x, const struct step *s) {
        AUTO(layers_done) struct layers l = { 0 };
        int r = open_lower(s, &l);

        if (r >= 0 && (s->source || s->options || (s->flags & STEP_THROW_AWAY)))
                r = open_upper(x, s, &l);
        if (r < 0)
                return r;
        r = make_of(&l, s->attributes);
        return r == -EINVAL && any_detached(&l) ? make_elsewhere(&l, s->attributes) : r;
}
