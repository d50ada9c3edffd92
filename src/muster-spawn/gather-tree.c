/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tree says about itself. It is foreign: every path is resolved below its top, and only regular files are read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "codec/passwd-text.h"
#include "muster-spawn/gather.h"
#include "muster-spawn/idmap-ns.h"
#include "plan/ids.h"
#include "sys/path.h"

#define DATABASE_MAX (4U << 20)
#define GROUPS_MAX 65536
#define ZONEINFO "usr/share/zoneinfo/"

static bool exists(int root, const char *path) {
        struct stat st;
        int fd;

        if (!strchr(path, '/') && fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISLNK(st.st_mode))
                return true;
        fd = open_in_root(root, path, O_PATH);
        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static int read_in_tree(int root, const char *path, size_t max, char **ret, size_t *ret_size) {
        AUTO_CLOSE int fd = open_regular_in_root(root, path);
        AUTO_BUF struct buf b = BUF_EMPTY;
        char chunk[16384];
        ssize_t n;

        if (fd < 0)
                return fd;
        do {
                n = read(fd, chunk, sizeof(chunk));
                if (n < 0)
                        return -errno;
                if (b.size + (size_t) n > max)
                        return -EFBIG;
                if (buf_append(&b, chunk, (size_t) n) < 0)
                        return -ENOMEM;
        } while (n == sizeof(chunk)); /* a regular file gives all that it has */
        *ret_size = b.size;
        return buf_steal(&b, ret);
}

/* Would the payload come up in something that is no system at all, say by a typing error in the path, it had better not. */
static int check_system(const struct spec *s, struct facts *f, int root, struct diag *diag) {
        if (s->no_os_release_check)
                return 0;
        if (s->start_mode == START_BOOT) {
                if (exists(root, "etc/os-release") || exists(root, "usr/lib/os-release"))
                        return 0;
                return diag_set(
                        diag, -EINVAL, NULL,
                        "%.60s does not look like an OS tree: it has neither /etc/os-release nor /usr/lib/os-release",
                        f->root);
        }
        f->has_usr = exists(root, "usr");
        if (f->has_usr)
                return 0;
        return diag_set(diag, -EINVAL, NULL, "%.80s does not look like an OS tree: it has no /usr", f->root);
}

static int random_id(struct id128 *ret) {
        if (getrandom(ret->bytes, sizeof(ret->bytes), 0) < 0)
                return -errno;
        ret->bytes[6] = (uint8_t) ((ret->bytes[6] & 0x0f) | 0x40);
        ret->bytes[8] = (uint8_t) ((ret->bytes[8] & 0x3f) | 0x80);
        return 0;
}

static int machine_id(const struct spec *s, int root, struct facts *f, struct diag *diag) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;
        int r = read_in_tree(root, "etc/machine-id", 4096, &text, &size);

        if (r == -ENOMEM)
                return r;
        if (r < 0 && r != -ENOENT)
                return diag_set(diag, r, NULL, "cannot read the machine id of the tree, /etc/machine-id: %s",
                                strerror(-r));
        if (r >= 0)
                text[strcspn(text, "\n")] = '\0';
        if (r >= 0 && *text && !streq(text, "uninitialized")) {
                if (id128_from_string(text, &f->uuid) < 0 || id128_is_null(&f->uuid))
                        return diag_set(diag, -EINVAL, NULL,
                                        "cannot read the machine id of the tree: /etc/machine-id holds no 32 "
                                        "hexadecimal digits");
                return 0;
        }
        if (!id128_is_null(&s->uuid)) {
                f->uuid = s->uuid;
                return 0;
        }
        return random_id(&f->uuid);
}

/* /bin and its like are made as symlinks where there is only what they lead to. With --volatile=yes only /usr is of the tree: all
 * of them are made anew. */
static int base_links(int root, bool only_missing, struct facts *f) {
        static const char *const names[4] = { "bin", "sbin", "lib", "lib64" };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                char target[16];
                struct stat st;

                if (only_missing && (fstatat(root, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT))
                        continue;
                snprintf(target, sizeof(target), "usr/%s", names[i]);
                if (!exists(root, target))
                        continue;
                f->base_links[i] = strdup(target);
                if (!f->base_links[i])
                        return -ENOMEM;
        }
        return 0;
}

static int check_volatile(const struct spec *s, const struct facts *f, int root, struct diag *diag) {
        struct stat st;

        if (s->volatile_mode == VOLATILE_YES && fstatat(root, "bin", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            !S_ISLNK(st.st_mode))
                return diag_set(diag, -EINVAL, "--volatile",
                                "yes: %.60s keeps /bin outside of /usr, so that there would be no programs; use state "
                                "or overlay",
                                f->root);
        return 0;
}

/* The kernel knows best which file systems take a map: it is tried, on a mount that nobody sees. */
static bool can_map_owners(const struct facts *f) {
        AUTO_CLOSE int tree = idmap_clone(f->root, 0, f->uid_base, f->uid_count);

        return tree >= 0;
}

static void zone(int root, struct facts *f) {
        const char *at = f->localtime_link ? strstr(f->localtime_link, ZONEINFO) : NULL;

        f->zone_in_root = at && exists(root, at);
}

/* Numbers that the tree's database does not know are taken as they are; names are not. */
static int unknown_user(const char *name, struct facts_user *ret, struct diag *diag) {
        uint32_t uid;

        if (parse_u32(name, &uid) < 0 || uid == UINT32_MAX)
                return diag_set(diag, -ESRCH, "--user", "%.60s: the container's /etc/passwd has no such user", name);
        ret->uid = ret->gid = uid;
        return 0;
}

static int user(const struct spec *s, int root, struct facts *f, struct diag *diag) {
        AUTO_FREE char *passwd = NULL, *group = NULL, *name = NULL;
        size_t passwd_size = 0, group_size = 0;
        struct passwd_entry e;
        int r;

        if (!s->user || streq(s->user, "root") || streq(s->user, "0"))
                return 0;
        r = read_in_tree(root, "etc/passwd", DATABASE_MAX, &passwd, &passwd_size);
        if (r >= 0)
                r = passwd_find(passwd, passwd_size, s->user, &e);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return unknown_user(s->user, &f->user, diag);
        f->user = (struct facts_user){ .uid = e.uid, .gid = e.gid, .home = e.home, .shell = e.shell };
        if (read_in_tree(root, "etc/group", DATABASE_MAX, &group, &group_size) == -ENOMEM)
                return -ENOMEM;
        /* Groups list names, also when the user was given by number. */
        if (passwd_name_of(passwd, passwd_size, e.uid, &name) == -ENOMEM)
                return -ENOMEM;
        r = group_list(strempty(group), group_size, name ? name : s->user, GROUPS_MAX, &f->user.groups,
                       &f->user.n_groups);
        if (r < 0)
                return diag_set(diag, r, "--user", "cannot tell the groups of %.60s: %s", s->user, strerror(-r));
        return 0;
}

/* The highest N of libsystemd-shared-N*.so; 0: none. */
static unsigned systemd_version_in(int root, const char *path) {
        static const char prefix[] = "libsystemd-shared-";
        AUTO_CLOSE int fd = open_in_root(root, path, O_RDONLY | O_DIRECTORY);
        unsigned best = 0;
        struct dirent *e;
        DIR *dir;

        if (fd < 0)
                return 0;
        dir = fdopendir(fd);
        if (!dir)
                return 0;
        fd = -EBADF;
        while ((e = readdir(dir))) {
                const char *rest = startswith(e->d_name, prefix);
                unsigned n = 0;

                while (rest && *rest >= '0' && *rest <= '9' && n < 100000)
                        n = n * 10 + (unsigned) (*rest++ - '0');
                if (n > best && n < 100000)
                        best = n;
        }
        closedir(dir);
        return best;
}

static void guest_systemd(const struct spec *s, int root, struct facts *f) {
        static const char *const paths[] = { "usr/lib/systemd", "lib/systemd", "usr/lib64/systemd",
                                             "usr/lib/x86_64-linux-gnu/systemd", "usr/lib/aarch64-linux-gnu/systemd" };

        /* Only a host with both versions has a choice, and only an init cares. */
        if (s->start_mode != START_BOOT || f->cgroups != CGROUPS_HYBRID)
                return;
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                unsigned n = systemd_version_in(root, paths[i]);

                if (n > f->guest_systemd)
                        f->guest_systemd = n;
        }
}

static int pivot(const struct spec *s, int tree, struct diag *diag) {
        int fd = open_in_root(tree, s->pivot_root_new, O_PATH | O_DIRECTORY);

        if (fd < 0)
                return diag_set(diag, fd, "--pivot-root", "the tree has no directory %.80s", s->pivot_root_new);
        return fd;
}

int gather_tree(const struct spec *spec, struct facts *f, struct diag *diag) {
        AUTO_CLOSE int tree = openat(AT_FDCWD, f->root, O_PATH | O_DIRECTORY | O_CLOEXEC), pivoted = -EBADF;
        int root = tree, r;

        if (tree < 0)
                return diag_set(diag, -errno, "--directory", "cannot open %.80s: %s", f->root, strerror(errno));
        if (spec->pivot_root_new) {
                root = pivoted = pivot(spec, tree, diag);
                if (root < 0)
                        return root;
        }
        /* The layers of an overlay have been tried when it was made. */
        if (spec->users_mode != USERS_NO && f->uid_base != 0 && !f->ephemeral_upper)
                f->tree_id_mappable = can_map_owners(f);
        if (spec->users_mode != USERS_NO) {
                r = ids_ownership_check(spec, f, diag);
                if (r < 0)
                        return r;
        }
        r = check_system(spec, f, root, diag);
        if (r >= 0)
                r = machine_id(spec, root, f, diag);
        if (r >= 0)
                r = check_volatile(spec, f, root, diag);
        if (r >= 0)
                r = base_links(root, spec->volatile_mode != VOLATILE_YES, f);
        if (r >= 0)
                r = user(spec, root, f, diag);
        if (r < 0)
                return r;
        zone(root, f);
        guest_systemd(spec, root, f);
        return gather_journal(spec, f);
}
