/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/remove-tree.h: rm -rf that cannot be led astray. */
#pragma once

/* Removes path and all below it; crosses no mount point, follows no symlink. 0 also when it was not there. */
int remove_tree(const char *path);
