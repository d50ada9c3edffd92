/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/procfs.h: texts of /proc/PID, unparsed (codec/proc-text.h, codec/idmap-text.h parse). proc(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/id128.h"

/* Reads /proc/PID/what (at most 64 KiB) into a malloc'ed NUL-terminated text. A dead process gives -ESRCH.
 * For files of short lines only, so not for mountinfo (read_record_at() of sys/fileio.h). */
int proc_read(pid_t pid, const char *what, char **ret, size_t *ret_size);

/* What tells one start of this system from another (random(4)). -EINVAL: that is no id. */
int proc_boot_id(struct id128 *ret);

/* The target of /proc/PID/what, such as "exe"; malloc'ed. -ESRCH, -EACCES. */
int proc_readlink(pid_t pid, const char *what, char **ret);

/* Are the processes in the same namespace? kind: "net", "mnt", "user", "pid". pid_b 0: ourselves. 1 or 0, -errno. */
int proc_same_namespace(pid_t pid_a, pid_t pid_b, const char *kind);

/* Effective uid of the process from the owner of /proc/PID is not reliable for undumpable ones; this reads status. */
int proc_uid(pid_t pid, uid_t *ret);

/* 1: pid is in our user namespace, with `uid` as real, effective and saved user; or lives in a user namespace below ours that `uid`
 * owns (NS_GET_USERNS, NS_GET_OWNER_UID of ioctl_ns(2), at most 16 levels). Who is only mapped into somebody else's namespace owns
 * nothing there. 0: not. -errno. */
int proc_belongs_to(pid_t pid, uid_t uid);
