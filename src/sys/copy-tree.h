/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/copy-tree.h: cp -a of a directory that belongs to somebody else. Descriptor by descriptor: no symlink is followed, and whoever
 * changes the tree meanwhile can spoil the copy, but not lead out of it. */
#pragma once

#include <stdbool.h>

struct copy_tree {
        bool reflinks_only;      /* fail with -EOPNOTSUPP where files cannot share their blocks */
        const char *top_without; /* entries of the top directory whose names begin so are left out; may be NULL */
        /* Asked now and then; true ends the copy with -EINTR. May be NULL. */
        bool (*interrupted)(void *userdata);
        void *userdata;
};

/* Makes the directory to_dir_fd/name (-EEXIST: there is one) as a copy of the directory from_fd: regular files with their holes,
 * directories, symlinks, fifos, sockets, devices; hard links among them; owners, modes, times, extended attributes (so ACLs and file
 * capabilities, too; those that the file system does not take are left out). What is mounted in it is not copied: of such a directory there
 * will be an empty one. The copy may lie inside of the original: it is not copied into itself.
 *
 * Until it is complete its mode is 0700. On failure nothing of it is left. -ELOOP: nested deeper than 256 directories. */
int copy_tree(int from_fd, int to_dir_fd, const char *name, const struct copy_tree *how);

/* Can files in this directory share blocks (FICLONE)? */
bool copy_can_reflink(int dir_fd);
