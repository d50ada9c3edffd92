/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-transfer/unpack.h: tar archive -> tree, in a directory that belongs to somebody hostile. */
#pragma once

#include <signal.h>

#include "muster-transfer/work.h"

struct unpack_how {
        bool replace; /* files that exist give way; else one that is the destination is an error, and others stay as they are */
        bool keep_owners; /* else all is root's, and no file gets rights by its mode (setuid, setgid) */
        bool into;        /* the archive is somebody's: its members are put into the destination, a directory */
        const volatile sig_atomic_t *cancelled;
};

/* Reads from `in` and makes `destination`, as it is found in root (openat2 RESOLVE_IN_ROOT; a symlink in the last component is not
 * followed). A directory that is there is added to. Each file appears complete and under its name at once, a new directory tree likewise
 * where it is the destination. On failure what was made is removed, but for files that others gave way to. */
int unpack(struct work *w, int root, const char *destination, int in, const struct unpack_how *how);
