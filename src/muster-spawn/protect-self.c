/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/protect-self.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/mountfd.h"

#define SELF "/proc/self/exe"
#define NAME "muster-spawn"

/* How the kernel calls a program that was started by its descriptor: execveat(2). */
static bool started_by_descriptor(void) {
        const char *name = (const char *) getauxval(AT_EXECFN);

        return name && startswith(name, "/dev/fd/");
}

void protect_self(char *const argv[], char *const env[]) {
        AUTO_CLOSE int fd = -EBADF;
        struct statfs fs;

        if (started_by_descriptor()) {
                prctl(PR_SET_NAME, NAME, 0, 0, 0); /* it would be called by the number of the descriptor */
                return;
        }
        if (statfs(SELF, &fs) == 0 && (fs.f_flags & ST_RDONLY))
                return;
        fd = mount_clone(AT_FDCWD, SELF, false);
        if (fd < 0)
                return;
        if (mount_change(fd, "", false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, MS_PRIVATE) < 0)
                return;
        syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
        log_debug("cannot protect the program from the payload");
}
