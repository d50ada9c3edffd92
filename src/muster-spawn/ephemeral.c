/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hidden directories that are ours: each has a lock file beside it, named as the one that keeps other programs from using the tree
 * (lock.h) and taken before the directory is there. So whatever has such a file that nobody holds was left behind. */
#include "muster-spawn/ephemeral.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-spawn/idmap-ns.h"
#include "muster-spawn/interrupt.h"
#include "muster-spawn/lock.h"
#include "sys/bare-call.h"
#include "sys/copy-tree.h"
#include "sys/inode-info.h"
#include "sys/mountfd.h"
#include "sys/remove-tree.h"

#define HIDDEN ".#machine."
#define LOCK_PREFIX ".#"
#define LOCK_SUFFIX ".lck"
#define RANDOM_DIGITS 16
#define SUBVOLUME_INODE 256 /* BTRFS_FIRST_FREE_OBJECTID: the root of every subvolume */
#define PATH_OF_FD_SIZE 48

/* One hidden directory in the making. */
struct hidden {
        int dir; /* that it is in */
        const char *name;
        char *path, *lock_path;
        int lock;
};

static void hidden_done(struct hidden *h) {
        if (h->lock_path)
                unlink(h->lock_path);
        if (h->lock >= 0)
                close(h->lock);
        free(h->path);
        free(h->lock_path);
        *h = (struct hidden){ .dir = -EBADF, .lock = -EBADF };
}

static bool is_subvolume(int fd) {
        struct statfs fs;
        struct stat st;

        return fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC && fstat(fd, &st) == 0 &&
               st.st_ino == SUBVOLUME_INODE;
}

static int snapshot(int tree, int dir, const char *name) {
        struct btrfs_ioctl_vol_args_v2 args = { .fd = tree };

        if (strlen(name) >= sizeof(args.name))
                return -ENAMETOOLONG;
        strcpy(args.name, name);
        return ioctl(dir, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? -errno : 0;
}

/* A subvolume goes as one, unless there are others in it. */
static int remove_hidden(int dir, const char *name) {
        struct btrfs_ioctl_vol_args args = { 0 };
        AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0 && strlen(name) < sizeof(args.name) && is_subvolume(fd)) {
                strcpy(args.name, name);
                if (ioctl(dir, BTRFS_IOC_SNAP_DESTROY, &args) == 0)
                        return 0;
        }
        return remove_tree_at(dir, name);
}

/* The hidden directory that a lock file is for: ".#" + ".#machine.NAME" + 16 digits + ".lck". */
static bool belongs_to(const char *lock_name, const char *name) {
        const char *rest = startswith(lock_name, LOCK_PREFIX HIDDEN);

        rest = rest ? startswith(rest, name) : NULL;
        return rest && strspn(rest, "0123456789abcdef") == RANDOM_DIGITS && streq(rest + RANDOM_DIGITS, LOCK_SUFFIX);
}

static void remove_left_over(const char *place, int dir, const char *lock_name) {
        AUTO_FREE char *path = NULL, *name = strdup(lock_name + strlen(LOCK_PREFIX));
        int lock;

        if (!name || asprintf(&path, "%s/%s", place, lock_name) < 0)
                return;
        name[strlen(name) - strlen(LOCK_SUFFIX)] = '\0';
        lock = lock_file(path, true, false);
        if (lock < 0) /* somebody runs it */
                return;
        if (remove_hidden(dir, name) >= 0)
                unlink(path);
        close(lock);
}

static void remove_left_overs(const char *place, int dir, const char *name) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *e;

        if (!d) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        while ((e = readdir(d)))
                if (belongs_to(e->d_name, name))
                        remove_left_over(place, dir, e->d_name);
        closedir(d);
}

static int hide(const char *place, int dir, const char *name, struct hidden *ret) {
        struct hidden h = { .dir = dir, .lock = -EBADF };
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) < 0)
                return -errno;
        if (asprintf(&h.path, "%s/" HIDDEN "%.200s%016llx", streq(place, "/") ? "" : place, name,
                     (unsigned long long) random) < 0)
                return -ENOMEM;
        h.name = strrchr(h.path, '/') + 1;
        if (asprintf(&h.lock_path, "%.*s" LOCK_PREFIX "%s" LOCK_SUFFIX, (int) (h.name - h.path), h.path, h.name) < 0) {
                h.lock_path = NULL;
                hidden_done(&h);
                return -ENOMEM;
        }
        h.lock = lock_file(h.lock_path, true, false);
        if (h.lock < 0) {
                int r = h.lock;

                free(STEAL(h.lock_path));
                hidden_done(&h);
                return r;
        }
        *ret = h;
        return 0;
}

static int copy(int tree, const struct hidden *h, bool reflinks_only) {
        const struct copy_tree how = { .reflinks_only = reflinks_only,
                                       .top_without = LOCK_PREFIX,
                                       .interrupted = stop_wanted };

        return copy_tree(tree, h->dir, h->name, &how);
}

/* What costs least here and still makes a whole tree; 0 and its name. */
static int snapshot_or_reflinks(int tree, const struct hidden *h, const char **ret_method) {
        struct stat a, b;

        if (is_subvolume(tree) && snapshot(tree, h->dir, h->name) == 0) {
                *ret_method = "btrfs snapshot";
                return 0;
        }
        if (fstat(tree, &a) < 0 || fstat(h->dir, &b) < 0)
                return -errno;
        if (!copy_can_reflink(h->dir))
                return -EOPNOTSUPP;
        *ret_method = "reflink copy";
        return copy(tree, h, true);
}

/* The root of an overlay looks like its upper directory. */
static int make_upper(int tree, int made, const struct ephemeral_owners *o) {
        struct stat st;
        uid_t uid;
        gid_t gid;

        if (fstat(tree, &st) < 0 || mkdirat(made, "upper", 0700) < 0 || mkdirat(made, "try", 0700) < 0)
                return -errno;
        uid = o->count ? st.st_uid - o->on_disk + o->shown : st.st_uid;
        gid = o->count ? st.st_gid - o->on_disk + o->shown : st.st_gid;
        if (fchownat(made, "upper", uid, gid, 0) < 0 || fchmodat(made, "upper", st.st_mode & 07777, 0) < 0)
                return -errno;
        return 0;
}

/* Not every kernel has overlays, or maps their layers, and not every file system can be below one. */
static int try_overlay(const char *path, int tree, int made, const struct ephemeral_owners *o) {
        AUTO_CLOSE int context = mount_context("overlay"), mapped = -EBADF, mount = -EBADF;
        char lower[PATH_OF_FD_SIZE], upper[PATH_OF_FD_SIZE], work[PATH_OF_FD_SIZE];
        int r;

        if (context < 0)
                return context;
        if (o->count) {
                mapped = idmap_clone(path, o->on_disk, o->shown, o->count);
                if (mapped < 0)
                        return mapped;
        }
        snprintf(lower, sizeof(lower), "/proc/self/fd/%d", mapped >= 0 ? mapped : tree);
        snprintf(upper, sizeof(upper), "/proc/self/fd/%d/upper", made);
        snprintf(work, sizeof(work), "/proc/self/fd/%d/try", made);
        r = mount_context_set(context, "lowerdir", lower);
        if (r >= 0)
                r = mount_context_set(context, "upperdir", upper);
        if (r >= 0)
                r = mount_context_set(context, "workdir", work);
        if (r >= 0)
                r = mount_context_set(context, "volatile", NULL); /* or the disk would be waited for at the end */
        if (r >= 0)
                r = mount = mount_context_finish(context, 0);
        return r < 0 ? r : 0;
}

static int overlay(const char *path, int tree, const struct hidden *h, const struct ephemeral_owners *o) {
        AUTO_CLOSE int made = -EBADF;
        int r;

        if (o->no_overlay)
                return -EOPNOTSUPP;
        if (mkdirat(h->dir, h->name, 0700) < 0)
                return -errno;
        made = openat(h->dir, h->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = made < 0 ? -errno : make_upper(tree, made, o);
        if (r >= 0)
                r = try_overlay(path, tree, made, o);
        if (r >= 0)
                r = remove_tree_at(made, "try");
        if (r < 0)
                remove_tree_at(h->dir, h->name);
        return r;
}

static int any_way(const char *path, int tree, const struct hidden *h, const struct ephemeral_owners *o,
                   struct ephemeral *e) {
        int r = snapshot_or_reflinks(tree, h, &e->method);

        if (r >= 0 || r == -EINTR)
                goto copied;
        r = overlay(path, tree, h, o);
        if (r >= 0) {
                e->method = "overlay";
                e->upper = strdup(h->path);
                return e->upper ? 0 : -ENOMEM;
        }
        e->method = "copy";
        r = copy(tree, h, false);
copied:
        if (r < 0)
                return r;
        e->root = strdup(h->path);
        return e->root ? 0 : -ENOMEM;
}

static bool is_mount_point(const char *path) {
        struct inode_info info;

        return inode_info(AT_FDCWD, path, 0, &info) == 0 && info.mount_root;
}

static char *directory_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash == path ? strdup("/") : strndup(path, (size_t) (slash - path));
}

static const char *name_of(const char *path) {
        const char *last = strrchr(path, '/') + 1;

        return *last ? last : "root";
}

static int make_in(const char *place, const char *path, const struct ephemeral_owners *o, struct ephemeral *ret) {
        AUTO_CLOSE int dir = openat(AT_FDCWD, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC), tree = -EBADF;
        struct ephemeral e = EPHEMERAL_EMPTY;
        struct hidden h;
        int r;

        tree = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || tree < 0)
                return -errno;
        remove_left_overs(place, dir, name_of(path));
        r = hide(place, dir, name_of(path), &h);
        if (r < 0)
                return r;
        r = any_way(path, tree, &h, o, &e);
        if (r < 0) {
                free(e.root);
                free(e.upper);
                hidden_done(&h);
                return r;
        }
        e.made = STEAL(h.path);
        e.lock_path = STEAL(h.lock_path);
        e.lock = STEAL_FD(h.lock);
        *ret = e;
        return 0;
}

static int told(int error, const char *option, const char *path, struct diag *diag) {
        if (error == -EINTR)
                return diag_set(diag, error, option, "stopped while making a copy of %.80s", path);
        return diag_set(diag, error, option, "cannot make a copy of %.80s: %s", path, strerror(-error));
}

int ephemeral_make(const char *path, const struct ephemeral_owners *owners, struct ephemeral *ret, struct diag *diag) {
        AUTO_FREE char *place = is_mount_point(path) ? strdup(path) : directory_of(path);
        int r;

        if (!place)
                return -ENOMEM;
        r = make_in(place, path, owners, ret);
        if (r == -EROFS)
                r = make_in("/var/tmp", path, owners, ret);
        return r < 0 ? told(r, "--ephemeral", path, diag) : 0;
}

void ephemeral_clean(const char *path) {
        AUTO_FREE char *beside = directory_of(path);
        const char *const places[] = { beside, path, "/var/tmp" };

        for (size_t i = 0; i < ELEMENTS(places); i++) {
                AUTO_CLOSE int dir =
                        places[i] ? openat(AT_FDCWD, places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;

                if (dir >= 0)
                        remove_left_overs(places[i], dir, name_of(path));
        }
}

int ephemeral_again(const struct ephemeral *e) {
        AUTO_FREE char *work = NULL;

        if (!e->upper)
                return 0;
        return asprintf(&work, "%s/work", e->upper) < 0 ? -ENOMEM : remove_tree(work);
}

void ephemeral_remove(struct ephemeral *e) {
        if (e->made) {
                AUTO_FREE char *place = directory_of(e->made);
                AUTO_CLOSE int dir = place ? openat(AT_FDCWD, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;

                if (dir >= 0 && remove_hidden(dir, name_of(e->made)) >= 0)
                        unlink(e->lock_path);
        }
        if (e->lock >= 0)
                close(e->lock);
        free(e->root);
        free(e->upper);
        free(e->made);
        free(e->lock_path);
        *e = EPHEMERAL_EMPTY;
}

static int copy_template(int tree, const struct hidden *h, const char *name, const char **ret_method) {
        int r = snapshot_or_reflinks(tree, h, ret_method);

        if (r < 0 && r != -EINTR) {
                *ret_method = "copy";
                r = copy(tree, h, false);
        }
        if (r < 0)
                return r;
        r = BARE(renameat2, h->dir, h->name, h->dir, name, RENAME_NOREPLACE);
        if (r < 0)
                remove_hidden(h->dir, h->name);
        return r;
}

int tree_from_template(const char *template, const char *target, const char **ret_method, struct diag *diag) {
        AUTO_CLOSE int tree = openat(AT_FDCWD, template, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir = -EBADF;
        AUTO_FREE char *place = directory_of(target);
        struct hidden h;
        int r;

        if (!place)
                return -ENOMEM;
        if (tree < 0)
                return diag_set(diag, -errno, "--template", "cannot open %.80s: %s", template, strerror(errno));
        dir = openat(AT_FDCWD, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return diag_set(diag, -errno, "--template", "cannot open %.80s, where the tree is to be made: %s",
                                place, strerror(errno));
        remove_left_overs(place, dir, name_of(target));
        r = hide(place, dir, name_of(target), &h);
        if (r < 0)
                return told(r, "--template", template, diag);
        r = copy_template(tree, &h, name_of(target), ret_method);
        hidden_done(&h);
        return r < 0 && r != -EEXIST ? told(r, "--template", template, diag) : r;
}
