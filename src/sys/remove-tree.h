/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/remove-tree.h: rm -rf that cannot be led astray. */
#pragma once

/* Removes path and all below it; crosses no mount point, follows no symlink. 0 also when it was not there. */
int remove_tree(const char *path);
/* The same below a directory; name: one component. */
int remove_tree_at(int dir_fd, const char *name);
