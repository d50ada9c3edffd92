/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which hierarchies there are, and where we stand in them (cgroups(7)). */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-spawn/payload-cgroup.h"
#include "sys/fileio.h"

#define ROOT "/sys/fs/cgroup"

static bool is_type(const char *path, long type) {
        struct statfs fs;

        return statfs(path, &fs) == 0 && (long) fs.f_type == type;
}

static struct payload_cgroup_dir *add(struct payload_cgroup *c) {
        struct payload_cgroup_dir *d = &c->dirs[c->n_dirs];

        if (c->n_dirs == PAYLOAD_CGROUP_HIERARCHIES)
                return NULL;
        *d = (struct payload_cgroup_dir){ .top = -EBADF, .fd = -EBADF, .tasks = -EBADF };
        c->n_dirs++;
        return d;
}

/* "name=systemd" is mounted as systemd, controllers by their list. */
static int add_v1(struct payload_cgroup *c, const char *controllers, const char *own) {
        const char *name = startswith(controllers, "name=");
        AUTO_FREE char *mount = NULL;
        struct payload_cgroup_dir *d;

        if (asprintf(&mount, ROOT "/%s", name ? name : controllers) < 0)
                return -ENOMEM;
        d = add(c);
        if (!d)
                return -E2BIG;
        d->mount = STEAL(mount);
        d->name = strdup(name ? name : controllers);
        d->own = strdup(own);
        return d->name && d->own ? 0 : -ENOMEM;
}

static int add_v2(struct payload_cgroup *c, const char *mount, const char *name, const char *own) {
        struct payload_cgroup_dir *d = add(c);

        if (!d)
                return -E2BIG;
        d->v2 = true;
        d->mount = strdup(mount);
        d->name = strdup(name);
        d->own = strdup(own);
        return d->mount && d->name && d->own ? 0 : -ENOMEM;
}

/* One line of /proc/self/cgroup: "4:memory:/path", cgroup2: "0::/path". */
static int add_line(struct payload_cgroup *c, char *line) {
        char *controllers = strchr(line, ':'), *path;

        if (!controllers)
                return 0;
        *controllers++ = '\0';
        path = strchr(controllers, ':');
        if (!path)
                return 0;
        *path++ = '\0';
        if (*controllers)
                return c->kind == CGROUPS_UNIFIED ? 0 : add_v1(c, controllers, path);
        if (c->kind == CGROUPS_UNIFIED)
                return add_v2(c, ROOT, "", path);
        return c->kind == CGROUPS_HYBRID ? add_v2(c, ROOT "/unified", "unified", path) : 0;
}

int payload_cgroup_probe(struct payload_cgroup *ret) {
        AUTO_FREE char *text = NULL;
        int r;

        *ret = (struct payload_cgroup){ .birth = -EBADF };
        if (is_type(ROOT, CGROUP2_SUPER_MAGIC))
                ret->kind = CGROUPS_UNIFIED;
        else if (is_type(ROOT "/unified", CGROUP2_SUPER_MAGIC))
                ret->kind = CGROUPS_HYBRID;
        else if (is_type(ROOT "/systemd", CGROUP_SUPER_MAGIC))
                ret->kind = CGROUPS_V1;
        else
                return 0;
        r = read_record_at(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL);
        if (r < 0) {
                ret->kind = CGROUPS_NONE;
                return 0;
        }
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                r = add_line(ret, line);
                if (r < 0)
                        return r;
        }
        return 0;
}

bool payload_cgroup_dir_has(const struct payload_cgroup_dir *d, const char *controller) {
        size_t length = strlen(controller);

        if (d->v2)
                return false;
        for (const char *at = d->name; (at = strstr(at, controller)); at += length)
                if ((at == d->name || at[-1] == ',') && (at[length] == ',' || !at[length]))
                        return true;
        return false;
}
