/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-helper/kill-tree.h: signals all processes of a machine that has no cgroup. */
#pragma once

#include "base/pidref.h"

/* leader->fd is held. When leader is the init of a pid namespace below ours: every process of that namespace and of
 * those below it; otherwise leader and its descendants. Never ourselves, our ancestors or pid 1 (-EPERM when leader is
 * one of them). uid: only those that belong to that user (proc_belongs_to()), for a tree may hold what others have started, setuid
 * programs among them; 0: all. 0: at least one was signalled. -ESRCH, -EPERM (none of them is his), -ENOMEM. */
int kill_tree(const struct pidref *leader, int sig, uid_t uid);
