/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps of the child that mount. From STEP_ENTER_ROOT on every path is one of the container: a symlink in its tree can lead these
 * steps to another place of the container, never out of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "muster-spawn/child.h"
#include "sys/bare-call.h"
#include "sys/inode-info.h"
#include "sys/mountfd.h"

static unsigned long mount_flags(uint64_t attributes) {
        static const struct {
                uint64_t attribute;
                unsigned long flag;
        } table[] = {
                { ATTR_READ_ONLY, MS_RDONLY }, { ATTR_NO_SUID, MS_NOSUID },           { ATTR_NO_DEV, MS_NODEV },
                { ATTR_NO_EXEC, MS_NOEXEC },   { ATTR_STRICT_ATIME, MS_STRICTATIME },
        };
        unsigned long flags = 0;

        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (attributes & table[i].attribute)
                        flags |= table[i].flag;
        return flags;
}

static int private(struct execution *x, const struct step *s) {
        return BARE(mount, NULL, "/", NULL, MS_REC | MS_PRIVATE);
}

/* The old root ends up on top of the new one: "." is below it, and "/" is the new one for path resolution. pivot_root(2),
 * "pivot_root(".", ".")". */
static int enter_root(struct execution *x, const struct step *s) {
        int root = x->trees[s->tree], r;

        r = mount_attach(root, AT_FDCWD, "/", false);
        if (r >= 0)
                r = BARE(fchdir, root);
        return r < 0 ? r : BARE(pivot_root, ".", ".");
}

static int detach_old_root(struct execution *x, const struct step *s) {
        return BARE(umount2, ".", MNT_DETACH);
}

/* A mount point of the right type, where there is none. */
static int make_target(const char *target, bool directory, mode_t mode) {
        int fd, r;

        r = child_make_parents(target);
        if (r < 0)
                return r;
        if (directory)
                r = BARE(mkdirat, AT_FDCWD, target, mode ? mode : 0755);
        else {
                fd = BARE(openat, AT_FDCWD, target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
                r = fd < 0 ? fd : BARE(close, fd);
        }
        return r == -EEXIST ? 0 : r;
}

/* Mount options are separated by commas: those that are flags of mount(2) go there. mount(8). */
static int split_options(const char *options, unsigned long *flags, char *ret, size_t size) {
        static const struct {
                const char *name;
                unsigned long set, clear;
        } words[] = {
                { "ro", MS_RDONLY, 0 },
                { "rw", 0, MS_RDONLY },
                { "nosuid", MS_NOSUID, 0 },
                { "suid", 0, MS_NOSUID },
                { "nodev", MS_NODEV, 0 },
                { "dev", 0, MS_NODEV },
                { "noexec", MS_NOEXEC, 0 },
                { "exec", 0, MS_NOEXEC },
                { "noatime", MS_NOATIME, MS_STRICTATIME },
                { "nodiratime", MS_NODIRATIME, MS_STRICTATIME },
                { "relatime", MS_RELATIME, MS_STRICTATIME },
                { "strictatime", MS_STRICTATIME, 0 },
        };
        size_t used = 0;

        *ret = '\0';
        while (options && *options) {
                const char *end = strchrnul(options, ',');
                size_t n = (size_t) (end - options), i;

                for (i = 0; i < ELEMENTS(words); i++)
                        if (strlen(words[i].name) == n && strncmp(words[i].name, options, n) == 0)
                                break;
                if (i < ELEMENTS(words))
                        *flags = (*flags & ~words[i].clear) | words[i].set;
                else if (n > 0) {
                        if (used + n + 2 > size)
                                return -E2BIG;
                        if (used)
                                ret[used++] = ',';
                        memcpy(ret + used, options, n);
                        used += n;
                        ret[used] = '\0';
                }
                options = *end ? end + 1 : end;
        }
        return 0;
}

/* In quotes, for there may be commas in it: mount(8). */
static int append_label(const char *label, char *options, size_t size) {
        static const char before[] = ",context=\"";
        size_t used = strlen(options);

        if (used + strlen(label) + sizeof(before) + 1 > size)
                return -E2BIG;
        stpcpy(stpcpy(stpcpy(options + used, before + (used == 0)), label), "\"");
        return 0;
}

static int mount_new(struct execution *x, const struct step *s) {
        unsigned long flags = mount_flags(s->attributes);
        char options[1024];
        int r;

        r = split_options(s->options, &flags, options, sizeof(options));
        if (r >= 0 && s->label)
                r = append_label(s->label, options, sizeof(options));
        if (r < 0)
                return r;
        r = BARE(mount, s->type, s->target, s->type, flags, *options ? options : NULL);
        if (r != -ENOENT || !(s->flags & STEP_CREATE))
                return r;
        r = make_target(s->target, true, s->node.mode);
        return r < 0 ? r : BARE(mount, s->type, s->target, s->type, flags, *options ? options : NULL);
}

/* Devices that could not be made come to where they belong as soon as /dev is there. */
static int bind_devices(struct execution *x, const char *below) {
        for (size_t i = 0; i < x->n_devices; i++) {
                char target[64];
                int r;

                if (strlen(below) + strlen(x->devices[i].target) + 2 > sizeof(target))
                        return -ENAMETOOLONG;
                stpcpy(stpcpy(stpcpy(target, below), "/"), x->devices[i].target);
                r = mount_attach(x->devices[i].tree, AT_FDCWD, target, false);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int attach(struct execution *x, const struct step *s) {
        bool follow = !(s->flags & STEP_NO_FOLLOW);
        struct inode_info info;
        int r;

        if (x->trees[s->tree] < 0) /* opening it was allowed to fail */
                return -ENOENT;
        r = mount_attach(x->trees[s->tree], AT_FDCWD, s->target, follow);
        if (r == -ENOENT && (s->flags & STEP_CREATE)) {
                r = inode_info(x->trees[s->tree], "", AT_EMPTY_PATH, &info);
                if (r >= 0)
                        r = make_target(s->target, S_ISDIR(info.type), s->node.mode);
                if (r >= 0)
                        r = mount_attach(x->trees[s->tree], AT_FDCWD, s->target, follow);
        }
        return r < 0 || s->tree != TREE_DEV ? r : bind_devices(x, s->target);
}

/* The entry of /run/host/inaccessible that has the type of what it hides. */
static const char *mask_for(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFDIR:
                return "/run/host/inaccessible/dir";
        case S_IFIFO:
                return "/run/host/inaccessible/fifo";
        case S_IFSOCK:
                return "/run/host/inaccessible/sock";
        case S_IFCHR:
                return "/run/host/inaccessible/chr";
        case S_IFBLK:
                return "/run/host/inaccessible/blk";
        default:
                return "/run/host/inaccessible/reg";
        }
}

static int bind(struct execution *x, const struct step *s) {
        const char *source = s->source;
        unsigned long flags = mount_flags(s->attributes);
        struct inode_info info;
        int r;

        if (s->flags & STEP_MASK) {
                r = inode_info(AT_FDCWD, s->target, 0, &info);
                if (r < 0)
                        return r;
                source = mask_for(info.type);
        }
        if (s->flags & STEP_CREATE) {
                r = inode_info(AT_FDCWD, source, 0, &info);
                if (r >= 0)
                        r = make_target(s->target, S_ISDIR(info.type), s->node.mode);
                if (r < 0)
                        return r;
        }
        r = BARE(mount, source, s->target, NULL, MS_BIND | (s->flags & STEP_RECURSIVE ? MS_REC : 0));
        if (r < 0)
                return r == -ENOENT && (s->flags & STEP_IF_EXISTS) ? 0 : r;
        if (!s->attributes)
                return 0;
        if (s->flags & STEP_RECURSIVE)
                return mount_change(AT_FDCWD, s->target, true, s->attributes, 0, 0);
        return BARE(mount, NULL, s->target, NULL, MS_REMOUNT | MS_BIND | flags);
}

static int remount(struct execution *x, const struct step *s) {
        return BARE(mount, NULL, s->target, NULL, MS_REMOUNT | MS_BIND | mount_flags(s->attributes));
}

static int unmount(struct execution *x, const struct step *s) {
        return BARE(umount2, s->target, MNT_DETACH);
}

static int shared(struct execution *x, const struct step *s) {
        return BARE(mount, NULL, "/", NULL, MS_REC | MS_SHARED);
}

static int slave(struct execution *x, const struct step *s) {
        return BARE(mount, NULL, s->target, NULL, MS_SLAVE);
}

child_step_fn *const child_mount_steps[_STEP_MAX] = {
        [STEP_PRIVATE] = private, [STEP_ENTER_ROOT] = enter_root, [STEP_DETACH_OLD_ROOT] = detach_old_root,
        [STEP_MOUNT] = mount_new, [STEP_ATTACH] = attach,         [STEP_BIND] = bind,
        [STEP_REMOUNT] = remount, [STEP_UNMOUNT] = unmount,       [STEP_SHARED] = shared,
        [STEP_SLAVE] = slave,
};
