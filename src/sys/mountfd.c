/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/mountfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>

#include "base/auto.h"
#include "sys/bare-call.h"

/* Longest option of a file system that is set here, "lowerdir=..." aside. */
#define OPTION_MAX 256

int mount_clone(int dir_fd, const char *path, bool recursive) {
        unsigned flags =
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);

        return BARE(open_tree, dir_fd, path, flags);
}

int mount_context(const char *type) {
        return BARE(fsopen, type, FSOPEN_CLOEXEC);
}

int mount_context_set(int context, const char *key, const char *value) {
        return BARE(fsconfig, context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value);
}

int mount_context_finish(int context, uint64_t attributes) {
        int r = BARE(fsconfig, context, FSCONFIG_CMD_CREATE);

        return r < 0 ? r : BARE(fsmount, context, FSMOUNT_CLOEXEC, attributes);
}

/* options is at the beginning of one; *next is behind it. */
static int set_one(int context, const char *options, const char **next) {
        const char *end = strchrnul(options, ',');
        char option[OPTION_MAX];
        size_t size = (size_t) (end - options);
        char *value;

        *next = *end ? end + 1 : end;
        if (size == 0)
                return 0;
        if (size >= sizeof(option))
                return -E2BIG;
        memcpy(option, options, size);
        option[size] = '\0';
        value = strchr(option, '=');
        if (value)
                *value++ = '\0';
        return mount_context_set(context, option, value);
}

int mount_make(const char *type, const char *options, const char *label, uint64_t attributes) {
        AUTO_CLOSE int context = mount_context(type);
        int r;

        if (context < 0)
                return context;
        r = mount_context_set(context, "source", type); /* what mount tables show in the place of a device */
        if (r < 0)
                return r;
        while (options && *options) {
                r = set_one(context, options, &options);
                if (r < 0)
                        return r;
        }
        if (label) {
                r = mount_context_set(context, "context", label);
                if (r < 0)
                        return r;
        }
        return mount_context_finish(context, attributes);
}

static int set_attributes(int dir_fd, const char *path, bool recursive, struct mount_attr *attr) {
        unsigned flags = (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);

        return BARE(mount_setattr, dir_fd, path, flags, attr, sizeof(*attr));
}

int mount_change(int dir_fd, const char *path, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation) {
        struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

        if (set & MOUNT_ATTR_STRICTATIME)
                attr.attr_clr |= MOUNT_ATTR__ATIME;
        return set_attributes(dir_fd, path, recursive, &attr);
}

int mount_map_owners(int mount_fd, int userns_fd, bool recursive) {
        struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned) userns_fd };

        return set_attributes(mount_fd, "", recursive, &attr);
}

int mount_attach(int mount_fd, int dir_fd, const char *path, bool follow) {
        unsigned flags =
                MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH) | (follow ? MOVE_MOUNT_T_SYMLINKS : 0);

        return BARE(move_mount, mount_fd, "", dir_fd, path, flags);
}
