/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The mount is taken from the host while we are there, and put into the machine when we are there. In a machine with a user
 * namespace its attributes have to be locked, or its root would make a read-only mount writable again (mount(2), MS_REMOUNT): the
 * kernel does that when mounts go into a mount namespace that belongs to another user namespace (mount_namespaces(7)). So the mount is
 * put into a mount namespace of our own first, which we leave for one that belongs to the machine's users. */
#include "muster-transfer/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#define PRIVATE_PLACE "/proc" /* a directory that is always there; covered for us alone */

static int fail(struct work *w, int error, const char *what) {
        return work_fail(w, error, "Cannot %s: %s.", what, strerror(-error));
}

/* ---- what is mounted ---- */

static int take_source(struct work *w, const char *source, bool read_only, bool *ret_directory) {
        AUTO_CLOSE int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), place = -EBADF, tree = -EBADF;
        struct stat st;
        int r;

        if (host < 0)
                return fail(w, -errno, "open the root directory");
        place = open_in_root(host, source, O_PATH);
        if (place < 0 || fstat(place, &st) < 0)
                return fail(w, place < 0 ? place : -errno, "open the source");
        if (S_ISLNK(st.st_mode))
                return fail(w, -ELOOP, "open the source");
        tree = mount_clone(place, "", true);
        if (tree < 0)
                return fail(w, tree, "take the source");
        r = mount_change(tree, "", true, read_only ? MOUNT_ATTR_RDONLY : 0, 0, MS_PRIVATE);
        if (r < 0)
                return fail(w, r, "set the attributes of the mount");
        *ret_directory = S_ISDIR(st.st_mode);
        return STEAL_FD(tree);
}

/* A mount namespace that nobody else sees, with the tree in it. */
static int put_aside(int tree, bool directory) {
        AUTO_CLOSE int file = -EBADF;
        int r;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", PRIVATE_PLACE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0 ||
            mkdir(PRIVATE_PLACE "/directory", 0700) < 0)
                return -errno;
        file = open(PRIVATE_PLACE "/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file < 0)
                return -errno;
        r = mount_attach(tree, AT_FDCWD, directory ? PRIVATE_PLACE "/directory" : PRIVATE_PLACE "/file", false);
        return r < 0 ? r : chmod(PRIVATE_PLACE, 0711) < 0 ? -errno : 0;
}

/* The same tree with its attributes locked; after this we are root of the machine. */
static int lock_attributes(struct work *w, const struct place *p, int tree, bool directory) {
        int r = put_aside(tree, directory);

        if (r < 0)
                return fail(w, r, "prepare the mount");
        r = place_become_root(p);
        if (r < 0)
                return fail(w, r, "become root of the machine");
        if (unshare(CLONE_NEWNS) < 0)
                return fail(w, -errno, "prepare the mount in the machine's user namespace");
        r = mount_clone(AT_FDCWD, directory ? PRIVATE_PLACE "/directory" : PRIVATE_PLACE "/file", true);
        return r < 0 ? fail(w, r, "take the mount") : r;
}

/* ---- where it is mounted ---- */

static int open_or_make(int root, const char *path, int parent, const char *name, bool directory, bool make) {
        int fd = open_in_root(root, path, O_PATH);

        if (fd != -ENOENT || !make)
                return fd;
        if (directory) {
                if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                        return -errno;
        } else {
                int made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

                if (made < 0 && errno != EEXIST)
                        return -errno;
                if (made >= 0)
                        close(made);
        }
        return open_in_root(root, path, O_PATH);
}

/* One component after the other, each from the root: so links are followed as the machine follows them, and what is made is made
 * where they lead. */
static int find_destination(int root, const char *destination, bool directory, bool make) {
        AUTO_FREE char *path = strdup(destination);
        int parent = open_in_root(root, "/", O_PATH);

        if (!path) {
                if (parent >= 0)
                        close(parent);
                return -ENOMEM;
        }
        for (char *name = path + 1, *slash; parent >= 0; name = slash + 1) {
                int fd;

                slash = strchr(name, '/');
                if (slash)
                        *slash = '\0';
                fd = open_or_make(root, path, parent, name, slash || directory, make);
                close(parent);
                parent = fd;
                if (!slash)
                        return parent;
                *slash = '/';
        }
        return parent;
}

static int attach(struct work *w, const struct place *p, int tree, const char *destination, bool directory, bool make) {
        AUTO_CLOSE int there = -EBADF;
        struct stat st;
        int r;

        if (setns(p->mounts, CLONE_NEWNS) < 0)
                return fail(w, -errno, "enter the machine's mount namespace");
        there = find_destination(p->root, destination, directory, make);
        if (there < 0 || fstat(there, &st) < 0)
                return fail(w, there < 0 ? there : -errno, "open the mount point in the machine");
        if (S_ISDIR(st.st_mode) != directory)
                return work_fail(w, directory ? -ENOTDIR : -EISDIR,
                                 directory ? "The mount point is no directory, but the source is one."
                                           : "The mount point is a directory, but the source is none.");
        r = mount_attach(tree, there, "", false);
        return r < 0 ? fail(w, r, "mount in the machine") : 0;
}

int bind_into(struct work *w, const struct place *p, const char *source, const char *destination, bool read_only,
              bool make) {
        AUTO_CLOSE int tree = -EBADF, locked = -EBADF;
        bool directory = false;

        if (p->mounts < 0)
                return work_fail(w, -EINVAL, "The machine has the host's mounts: nothing can be mounted in it alone.");
        tree = take_source(w, source, read_only, &directory);
        if (tree < 0)
                return tree;
        if (p->users < 0)
                return attach(w, p, tree, destination, directory, make);
        locked = lock_attributes(w, p, tree, directory);
        return locked < 0 ? locked : attach(w, p, locked, destination, directory, make);
}
