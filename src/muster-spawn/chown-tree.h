/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/chown-tree.h: gives the files of a tree to another range of 65536 users, for good. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Each owner keeps his number within the range: new = base | (old & 0xffff), also in ACLs; modes, setuid bits and file capabilities
 * stay. Nothing is done when the directory itself belongs to that range already. Until all is done it belongs to none: who finds it
 * so, after a crash, starts anew. File systems of the kernel in it are left alone. -EINTR: `interrupted` said so. */
int chown_tree(int root_fd, uint32_t base, bool (*interrupted)(void *userdata));
