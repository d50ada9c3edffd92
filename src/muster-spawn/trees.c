/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner's steps: mounts that nobody sees yet, and what is written into them; then, with the child's ids known, their owners.
 *
 * New file systems hold nothing but what is put there, so plain paths are safe in them. A tree that holds foreign files is only
 * ever opened through openat2() below its top. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-spawn/chown-tree.h"
#include "muster-spawn/execute.h"
#include "muster-spawn/idmap-ns.h"
#include "muster-spawn/overlay.h"
#include "muster-spawn/interrupt.h"
#include "muster-spawn/throw-away.h"
#include "plan/ids.h"
#include "sys/fileio.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#define PATH_OF_FD "/proc/self/fd/%d"
#define PATH_OF_FD_SIZE 32

int tree_make_temporary(struct execution *x, char *pattern) {
        AUTO_CLOSE int lock = throw_away_make(pattern);
        int *locks;

        if (lock < 0)
                return lock;
        locks = reallocarray(x->throw_away_locks, x->n_throw_away_locks + 1, sizeof(*locks));
        if (locks)
                x->throw_away_locks = locks;
        if (!locks || strv_extend(&x->throw_away, pattern) < 0) {
                rmdir(pattern);
                return -ENOMEM;
        }
        locks[x->n_throw_away_locks++] = STEAL_FD(lock);
        return 0;
}

/* The caller's umask is 0. */
int tree_throw_away(struct execution *x, uid_t owner, const char **ret) {
        char path[] = THROW_AWAY_PATTERN, *source, *inner;
        int error;

        throw_away_clean();
        error = tree_make_temporary(x, path);
        if (error < 0)
                return error;
        if (asprintf(&source, "%s/src", path) < 0)
                return -ENOMEM;
        inner = source;
        if (mkdir(inner, 0755) < 0 || chown(inner, owner, owner) < 0) {
                int r = -errno;

                free(source);
                return r;
        }
        if (strv_extend(&x->throw_away, source) < 0) {
                free(source);
                return -ENOMEM;
        }
        free(source);
        *ret = x->throw_away[strv_length(x->throw_away) - 1];
        return 0;
}

/* O_PATH descriptor of `path` below the directory `base`, which it cannot leave. */
int tree_open_below(const char *base, const char *path) {
        AUTO_CLOSE int top = openat(AT_FDCWD, base, O_PATH | O_DIRECTORY | O_CLOEXEC);

        return top < 0 ? -errno : open_in_root(top, path, O_PATH);
}

static int source_tree(struct execution *x, const struct step *s) {
        bool recursive = s->flags & STEP_RECURSIVE;
        const char *path = s->source;

        if (s->flags & STEP_THROW_AWAY) {
                int r = tree_throw_away(x, s->node.uid, &path);

                if (r < 0)
                        return r;
        } else if (s->type) {
                AUTO_CLOSE int fd = tree_open_below(s->type, path);

                return fd < 0 ? fd : mount_clone(fd, "", recursive);
        }
        return mount_clone(AT_FDCWD, path, recursive);
}

static int tree_open(struct execution *x, const struct step *s) {
        AUTO_CLOSE int fd = source_tree(x, s);
        int r;

        if (fd < 0)
                return fd;
        /* A copy belongs to the peer group of its original: mounts in the container would show up on the host. */
        r = mount_change(fd, "", s->flags & STEP_RECURSIVE, s->attributes, 0,
                         s->flags & STEP_SLAVE_TREE ? MS_SLAVE : MS_PRIVATE);
        if (r < 0)
                return r;
        x->trees[s->tree] = STEAL_FD(fd);
        return 0;
}

static int tree_new(struct execution *x, const struct step *s) {
        int fd = mount_make(s->type, s->options, s->label, s->attributes);

        if (fd < 0)
                return fd;
        x->trees[s->tree] = fd;
        /* The descriptor of a new mount is one of O_PATH. */
        if (s->node.uid && fchownat(fd, "", s->node.uid, s->node.gid, AT_EMPTY_PATH) < 0)
                return -errno;
        return 0;
}

static int tree_overlay(struct execution *x, const struct step *s) {
        int fd = overlay_make(x, s);

        if (fd < 0)
                return fd;
        x->trees[s->tree] = fd;
        return 0;
}

static int write_new_file(int dir_fd, const struct step *s) {
        /* Strings have no length of their own; contents that may hold NUL bytes say theirs. */
        size_t size = s->number[0] ? s->number[0] : strlen(s->source);
        AUTO_CLOSE int fd =
                openat(dir_fd, s->target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, s->node.mode);

        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < size;) {
                ssize_t n = write(fd, s->source + done, size - done);

                if (n < 0)
                        return -errno;
                done += (size_t) n;
        }
        return 0;
}

/* Where no device can be made, the host's is bound over an empty file. */
static int device_from_host(struct execution *x, const struct step *s, int dir_fd) {
        const struct step empty = { .source = "", .target = s->target, .node.mode = 0 };
        int fd, r;

        if (!s->source || s->node.uid != 0 || x->n_devices == ELEMENTS(x->devices))
                return -EPERM;
        r = write_new_file(dir_fd, &empty);
        if (r < 0)
                return r;
        fd = mount_clone(AT_FDCWD, s->source, false);
        if (fd < 0)
                return fd;
        x->devices[x->n_devices++] = (struct device_bind){ .tree = fd, .target = s->target };
        return 0;
}

static int make_node(struct execution *x, const struct step *s, int dir_fd) {
        static const mode_t types[_NODE_TYPE_MAX] = { [NODE_FILE] = S_IFREG,
                                                      [NODE_FIFO] = S_IFIFO,
                                                      [NODE_SOCKET] = S_IFSOCK,
                                                      [NODE_CHAR] = S_IFCHR,
                                                      [NODE_BLOCK] = S_IFBLK };
        const struct step_node *n = &s->node;
        int r;

        switch (n->type) {
        case NODE_DIRECTORY:
                r = mkdirat(dir_fd, s->target, n->mode);
                break;
        case NODE_SYMLINK:
                r = symlinkat(s->source, dir_fd, s->target);
                break;
        case NODE_FILE:
                if (s->number[0] || *s->source)
                        return write_new_file(dir_fd, s);
                __attribute__((fallthrough));
        default:
                r = mknodat(dir_fd, s->target, types[n->type] | n->mode, makedev(n->major, n->minor));
                if (r < 0 && errno == EPERM && n->type == NODE_CHAR && n->major)
                        return device_from_host(x, s, dir_fd);
        }
        return r < 0 ? -errno : 0;
}

static int give_to(const struct step *s, int dir_fd) {
        if (s->node.uid == 0 && s->node.gid == 0)
                return 0;
        return fchownat(dir_fd, s->target, s->node.uid, s->node.gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int tree_node(struct execution *x, const struct step *s) {
        int dir_fd = x->trees[s->tree], r;

        r = make_node(x, s, dir_fd);
        if (r >= 0 && (s->flags & STEP_KEEP_OPEN)) {
                x->fifo = openat(dir_fd, s->target, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
                r = x->fifo < 0 ? -errno : 0;
        }
        return r < 0 ? r : give_to(s, dir_fd);
}

static int tree_socket(struct execution *x, const struct step *s) {
        AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const int on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return -errno;
        snprintf(address.sun_path, sizeof(address.sun_path), PATH_OF_FD "/%s", x->trees[s->tree], s->target);
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
            fchmodat(x->trees[s->tree], s->target, s->node.mode, 0) < 0)
                return -errno;
        x->notify = STEAL_FD(fd);
        return give_to(s, x->trees[s->tree]);
}

static int journal_dir(struct execution *x, const struct step *s) {
        struct stat st;

        if (lstat(s->target, &st) == 0 && S_ISLNK(st.st_mode) && unlink(s->target) < 0)
                return -errno;
        return mkdir(s->target, s->node.mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int journal_link(struct execution *x, const struct step *s) {
        char target[PATH_MAX];
        ssize_t n = readlink(s->target, target, sizeof(target));

        if (n >= 0 && (size_t) n == strlen(s->source) && memcmp(target, s->source, (size_t) n) == 0)
                return 0;
        if ((n >= 0 ? unlink(s->target) : rmdir(s->target)) < 0 && errno != ENOENT)
                return -errno;
        return symlink(s->source, s->target) < 0 ? -errno : 0;
}

static int host_dir(struct execution *x, const struct step *s) {
        int r;

        if (mkdir(s->target, s->node.mode) < 0 && errno != EEXIST) {
                AUTO_FREE char *parent = strdup(s->target);

                if (!parent)
                        return -ENOMEM;
                *strrchr(parent, '/') = '\0';
                r = mkdir_parents(parent, 0755);
                if (r < 0)
                        return r;
                if (mkdir(s->target, s->node.mode) < 0 && errno != EEXIST)
                        return -errno;
        }
        return s->flags & STEP_UNDO ? strv_extend(&x->made, s->target) : 0;
}

/* Only remembered here: execute_clone() goes there for the moment of the birth. */
static int join_network(struct execution *x, const struct step *s) {
        AUTO_CLOSE int fd = openat(AT_FDCWD, s->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return -errno;
        if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
                return -EINVAL;
        x->network = STEAL_FD(fd);
        return 0;
}

static int write_map(pid_t pid, const char *which, const struct step *s) {
        char path[48], text[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
        snprintf(text, sizeof(text), "0 %llu %llu\n", (unsigned long long) s->number[0],
                 (unsigned long long) s->number[1]);
        return write_attribute_text_at(AT_FDCWD, path, text);
}

static int id_map(struct execution *x, const struct step *s) {
        int r = write_map(x->pid, "uid_map", s);

        return r < 0 ? r : write_map(x->pid, "gid_map", s);
}

static int tree_idmap(struct execution *x, const struct step *s) {
        AUTO_CLOSE int ns = -EBADF;
        char path[48];

        if (s->number[0] > IDMAP_SAME) {
                ns = idmap_namespace_for(x->pid, (enum spec_idmap) s->number[0], x->trees[s->tree], x->trees[TREE_ROOT],
                                         s->target);
                if (ns < 0)
                        return ns;
        } else if (s->number[1]) {
                ns = idmap_namespace((uint32_t) s->number[1], s->node.uid, IDS_RANGE);
                if (ns < 0)
                        return ns;
        } else {
                snprintf(path, sizeof(path), "/proc/%d/ns/user", x->pid);
                ns = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
                if (ns < 0)
                        return -errno;
        }
        return mount_map_owners(x->trees[s->tree], ns, true);
}

static int tree_chown(struct execution *x, const struct step *s) {
        AUTO_CLOSE int root = openat(AT_FDCWD, s->target, O_PATH | O_DIRECTORY | O_CLOEXEC);

        return root < 0 ? -errno : chown_tree(root, s->node.uid, stop_wanted);
}

tree_step_fn *const tree_steps[_STEP_MAX] = {
        [STEP_TREE_OPEN] = tree_open,       [STEP_TREE_NEW] = tree_new,       [STEP_TREE_OVERLAY] = tree_overlay,
        [STEP_TREE_NODE] = tree_node,       [STEP_TREE_SOCKET] = tree_socket, [STEP_HOST_DIR] = host_dir,
        [STEP_JOIN_NETWORK] = join_network, [STEP_ID_MAP] = id_map,           [STEP_TREE_IDMAP] = tree_idmap,
        [STEP_TREE_CHOWN] = tree_chown,     [STEP_JOURNAL_DIR] = journal_dir, [STEP_JOURNAL_LINK] = journal_link,
};

int tree_step(struct execution *x, const struct step *s) {
        return tree_steps[s->kind] ? tree_steps[s->kind](x, s) : -EOPNOTSUPP;
}
