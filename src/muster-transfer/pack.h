/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-transfer/pack.h: a tree that belongs to somebody hostile -> tar archive. */
#pragma once

#include "muster-transfer/work.h"

/* Writes the file or directory `source`, as it is found in root (openat2 RESOLVE_IN_ROOT; a symlink in the last component is one), to
 * out. A directory is the member "./" and what is below it; a file is ".", or with `by_name` has its own name. Devices and sockets
 * are left out, and so is what only looks like files: /proc, /sys and their like. -EPIPE: nobody reads. */
int pack(struct work *w, int root, const char *source, int out, bool by_name);
