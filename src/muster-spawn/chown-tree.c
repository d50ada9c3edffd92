/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files are foreign: each is opened once, as a place (O_PATH), and changed by that descriptor. Whatever is done is done in a way
 * that doing it again changes nothing, so that a second name of a file, or a second attempt, does no harm. */
#include "muster-spawn/chown-tree.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "plan/ids.h"

#define DEPTH_MAX 256
#define ACL_MAX 65536
#define PATH_OF_FD_SIZE 32

struct walk {
        uint32_t base;
        bool (*interrupted)(void *userdata);
        dev_t device; /* of the top */
};

static uint32_t shifted(uint32_t base, uint32_t id) {
        return base | (id & 0xffff);
}

/* What the kernel shows of itself has owners that are none of ours. */
static bool is_kernels(int fd) {
        static const long types[] = {
                PROC_SUPER_MAGIC,
                SYSFS_MAGIC,
                CGROUP_SUPER_MAGIC,
                CGROUP2_SUPER_MAGIC,
                DEVPTS_SUPER_MAGIC,
                SELINUX_MAGIC,
                DEBUGFS_MAGIC,
                TRACEFS_MAGIC,
                SECURITYFS_MAGIC,
                BPF_FS_MAGIC,
                PSTOREFS_MAGIC,
                EFIVARFS_MAGIC,
                0x19800202 /* mqueue */,
                0x65735543 /* fusectl */,
                0x42494e4d /* binfmt_misc */,
                0x62656570 /* configfs */,
                0x6e736673 /* nsfs */,
        };
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if ((long) fs.f_type == types[i])
                        return true;
        return false;
}

/* linux/posix_acl_xattr.h: a header, then entries, little-endian. */
static int shift_acl(const char *path, const char *name, uint32_t base) {
        unsigned char acl[ACL_MAX];
        ssize_t size = getxattr(path, name, acl, sizeof(acl));
        struct posix_acl_xattr_entry e;
        bool changed = false;

        if (size < 0)
                return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
        for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof(e) <= (size_t) size; at += sizeof(e)) {
                uint16_t tag;
                uint32_t id, wanted;

                memcpy(&e, acl + at, sizeof(e));
                tag = le16toh(e.e_tag);
                id = le32toh(e.e_id);
                wanted = shifted(base, id);
                if ((tag != ACL_USER && tag != ACL_GROUP) || id == wanted)
                        continue;
                e.e_id = htole32(wanted);
                memcpy(acl + at, &e, sizeof(e));
                changed = true;
        }
        return changed && setxattr(path, name, acl, (size_t) size, 0) < 0 ? -errno : 0;
}

/* A capability counts in the user namespace whose root it names. 0: none there. */
static ssize_t read_capability(const char *path, uint32_t base, struct vfs_ns_cap_data *ret) {
        struct vfs_ns_cap_data cap = { 0 };
        ssize_t n = getxattr(path, "security.capability", &cap, sizeof(cap));
        uint32_t effective;

        if (n < 0)
                return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
        if (n < (ssize_t) sizeof(struct vfs_cap_data))
                return 0;
        effective = le32toh(cap.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE;
        cap.magic_etc = htole32((base ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2) | effective);
        cap.rootid = htole32(base);
        *ret = cap;
        return base ? sizeof(struct vfs_ns_cap_data) : sizeof(struct vfs_cap_data);
}

/* A new owner takes away setuid bits and capabilities: they are put back. */
static int change_owner(const char *path, int handle, const struct stat *st, uint32_t uid, uint32_t gid,
                        uint32_t base) {
        struct vfs_ns_cap_data cap;
        ssize_t cap_size = 0;

        if (S_ISREG(st->st_mode)) {
                cap_size = read_capability(path, base, &cap);
                if (cap_size < 0)
                        return (int) cap_size;
        }
        if (fchownat(handle, "", uid, gid, AT_EMPTY_PATH) < 0)
                return -errno;
        if (!S_ISLNK(st->st_mode) && chmod(path, st->st_mode & 07777) < 0)
                return -errno;
        if (cap_size > 0 && setxattr(path, "security.capability", &cap, (size_t) cap_size, 0) < 0)
                return -errno;
        return 0;
}

static int shift_entry(int handle, const struct stat *st, uint32_t base) {
        uint32_t uid = shifted(base, st->st_uid), gid = shifted(base, st->st_gid);
        char path[PATH_OF_FD_SIZE];
        int r = 0;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
        if (uid != st->st_uid || gid != st->st_gid)
                r = change_owner(path, handle, st, uid, gid, base);
        if (r >= 0 && !S_ISLNK(st->st_mode))
                r = shift_acl(path, "system.posix_acl_access", base);
        if (r >= 0 && S_ISDIR(st->st_mode))
                r = shift_acl(path, "system.posix_acl_default", base);
        return r;
}

static int shift_content(const struct walk *w, int handle, unsigned depth);

static int shift_below(const struct walk *w, int dir_fd, const char *name, unsigned depth) {
        AUTO_CLOSE int handle = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        int r;

        if (handle < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(handle, &st) < 0)
                return -errno;
        if (st.st_dev != w->device && is_kernels(handle))
                return 0;
        r = S_ISDIR(st.st_mode) ? shift_content(w, handle, depth + 1) : 0;
        if (r >= 0)
                r = shift_entry(handle, &st, w->base);
        return r == -EROFS && st.st_dev != w->device ? 0 : r;
}

static int shift_content(const struct walk *w, int handle, unsigned depth) {
        AUTO_CLOSE int fd = depth > DEPTH_MAX ? -EBADF : openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *e;
        int r = 0;
        DIR *dir;

        if (fd < 0)
                return depth > DEPTH_MAX ? -ELOOP : -errno;
        dir = fdopendir(fd);
        if (!dir)
                return -errno;
        fd = -EBADF;
        while (r >= 0 && (errno = 0, e = readdir(dir))) {
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                r = w->interrupted && w->interrupted(NULL) ? -EINTR : shift_below(w, dirfd(dir), e->d_name, depth);
        }
        if (r >= 0 && errno)
                r = -errno;
        closedir(dir);
        return r;
}

int chown_tree(int root_fd, uint32_t base, bool (*interrupted)(void *userdata)) {
        struct walk w = { .base = base, .interrupted = interrupted };
        AUTO_CLOSE int handle = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        int r;

        if (handle < 0 || fstat(handle, &st) < 0)
                return -errno;
        if (shifted(base, st.st_uid) == st.st_uid && shifted(base, st.st_gid) == st.st_gid)
                return 0;
        w.device = st.st_dev;
        if (fchownat(handle, "", shifted(IDS_PARKED_BASE, st.st_uid), shifted(IDS_PARKED_BASE, st.st_gid),
                     AT_EMPTY_PATH) < 0)
                return -errno;
        r = shift_content(&w, handle, 0);
        if (r < 0)
                return r;
        return fstat(handle, &st) < 0 ? -errno : shift_entry(handle, &st, base);
}
