/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the labels that are wanted can be had. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-spawn/gather.h"

#define KERNEL "kernel" /* SECINITSID_KERNEL */

/* Who writes a label there asks whether the policy has it, and how it is spelled. Before there is a policy the kernel takes whatever it
 * is told for its own label: then it is not what is wanted. Where we may not ask, the kernel will tell when the label is set. */
static bool is_known(int selinuxfs, const char *label) {
        AUTO_CLOSE int fd = label ? openat(selinuxfs, "context", O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -EBADF;
        char answer[sizeof(KERNEL)];
        ssize_t n;

        if (fd < 0)
                return true;
        if (write(fd, label, strlen(label)) < 0)
                return errno != EINVAL;
        n = read(fd, answer, sizeof(answer)); /* with a NUL at the end, or without */
        return n < (ssize_t) strlen(KERNEL) || memcmp(answer, KERNEL, (size_t) n) != 0 || streq(label, KERNEL);
}

void gather_selinux(const struct spec *spec, struct facts *f) {
        AUTO_CLOSE int fd = -EBADF;
        struct statfs fs;

        if (!spec->selinux_context && !spec->selinux_apifs_context)
                return;
        fd = openat(AT_FDCWD, "/sys/fs/selinux", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        f->has_selinux = fd >= 0 && fstatfs(fd, &fs) == 0 && (unsigned long) fs.f_type == SELINUX_MAGIC;
        if (!f->has_selinux)
                return;
        f->knows_context = is_known(fd, spec->selinux_context);
        f->knows_apifs_context = is_known(fd, spec->selinux_apifs_context);
}
