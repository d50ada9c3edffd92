/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which tree, and what the machine is called. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "core/name.h"
#include "muster-spawn/gather.h"

#define IMAGES "/var/lib/machines"

/* Where a tree is looked for by its machine's name; the first one wins. */
static const char *const image_directories[] = {
        "/etc/machines", "/run/machines", IMAGES, "/var/lib/container", "/usr/local/lib/machines", "/usr/lib/machines",
};

/* Its path without symlinks and dots, as the kernel tells it. */
static int real_path(int fd, const char *path, char **ret) {
        char link[32], target[PATH_MAX];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, target, sizeof(target) - 1);
        if (n > 0 && target[0] == '/') {
                target[n] = '\0';
                *ret = strdup(target);
        } else
                *ret = realpath(path, NULL);
        return *ret ? 0 : -errno;
}

static int resolve(const char *path, struct facts *f, struct diag *diag) {
        AUTO_CLOSE int fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (fd < 0 && errno == ENOTDIR && access(path, F_OK) == 0)
                return diag_set(diag, -ENOTDIR, "--directory",
                                "%.80s is no directory; for a disk image there is --image=", path);
        r = fd < 0 ? -errno : real_path(fd, path, &f->root);
        if (r < 0)
                return diag_set(diag, r, "--directory", "cannot find %.80s: %s", path, strerror(-r));
        return 0;
}

static int by_name(const char *name, struct facts *f, struct diag *diag) {
        for (size_t i = 0; i < ELEMENTS(image_directories); i++) {
                AUTO_FREE char *path = NULL;
                struct stat st;

                if (asprintf(&path, "%s/%s", image_directories[i], name) < 0)
                        return -ENOMEM;
                if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                        return resolve(path, f, diag);
        }
        return diag_set(diag, -ENOENT, "--machine",
                        "there is no image called %.64s in /var/lib/machines; name a tree with --directory=", name);
}

/* A tree that is still to be made from a template, in a directory that is there already. */
static int future(const char *path, struct facts *f, struct diag *diag) {
        AUTO_FREE char *copy = strdup(path), *parent = NULL;
        const char *name;
        char *slash;

        if (!copy)
                return -ENOMEM;
        for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
                copy[n - 1] = '\0';
        slash = strrchr(copy, '/');
        name = slash ? slash + 1 : copy;
        if (slash)
                *slash = '\0';
        parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
        if (!parent)
                return diag_set(diag, -errno, "--template", "cannot find the directory that %.80s is to be made in: %s",
                                path, strerror(errno));
        if (!*name || streq(name, ".") || streq(name, ".."))
                return diag_set(diag, -EINVAL, "--template", "%.80s is no name for a new tree", path);
        return asprintf(&f->root, "%s/%s", streq(parent, "/") ? "" : parent, name) < 0 ? -ENOMEM : 0;
}

static int tree(const struct spec *s, struct facts *f, struct diag *diag) {
        AUTO_FREE char *path = NULL;

        if (s->template && !s->directory && !s->machine && !s->ephemeral)
                return diag_set(diag, -EINVAL, "--template",
                                "say what tree is to be made: with --directory=, or --machine=");
        if (s->template && (s->directory || s->machine)) {
                if (!s->directory && asprintf(&path, IMAGES "/%s", s->machine) < 0)
                        return -ENOMEM;
                if (access(s->directory ? s->directory : path, F_OK) < 0 && errno == ENOENT)
                        return future(s->directory ? s->directory : path, f, diag);
                return resolve(s->directory ? s->directory : path, f, diag);
        }
        if (s->directory || (s->template && s->ephemeral))
                return resolve(s->directory ? s->directory : s->template, f, diag);
        if (s->machine && streq(s->machine, ".host"))
                return resolve("/", f, diag);
        return s->machine ? by_name(s->machine, f, diag) : resolve(".", f, diag);
}

/* Keeps what a machine name may hold, and no more of it: "a_b%c" becomes "abc". */
static void only_valid(const char *from, char ret[static MACHINE_NAME_MAX + 1]) {
        size_t n = 0;

        for (; *from && n < MACHINE_NAME_MAX; from++) {
                bool separator = *from == '-' || *from == '.';

                if (separator && (n == 0 || ret[n - 1] == '.' || (*from == '.' && ret[n - 1] == '-')))
                        continue;
                if (separator || (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                    (*from >= '0' && *from <= '9'))
                        ret[n++] = *from;
        }
        while (n > 0 && (ret[n - 1] == '-' || ret[n - 1] == '.'))
                n--;
        ret[n] = '\0';
}

/* The last component of the tree's path without what a name cannot hold; the host's name for its own root. */
static int name_from_tree(const char *root, struct facts *f, struct diag *diag) {
        char host[HOST_NAME_MAX + 1] = "", name[MACHINE_NAME_MAX + 1];
        const char *last = strrchr(root, '/');

        if (streq(root, "/")) {
                gethostname(host, sizeof(host) - 1);
                host[strcspn(host, ".")] = '\0';
        }
        only_valid(*host ? host : last ? last + 1 : root, name);
        if (!machine_name_is_valid(name))
                return diag_set(diag, -EINVAL, "--machine",
                                "no machine name can be made of %.80s: give one with --machine=", root);
        f->machine = strdup(name);
        return f->machine ? 0 : -ENOMEM;
}

int gather_suffix(const struct spec *spec, struct facts *f) {
        AUTO_FREE char *plain = NULL;
        uint64_t random;

        if (!spec->ephemeral || spec->machine)
                return 0;
        plain = STEAL(f->machine);
        if (getrandom(&random, sizeof(random), 0) < 0)
                return -errno;
        return asprintf(&f->machine, "%.*s-%016llx", MACHINE_NAME_MAX - 17, plain, (unsigned long long) random) < 0
                       ? -ENOMEM
                       : 0;
}

int gather_image_check(const struct spec *s, const struct facts *f, struct diag *diag) {
        if (streq(f->root, "/") && !s->ephemeral && s->volatile_mode != VOLATILE_YES &&
            s->volatile_mode != VOLATILE_STATE)
                return diag_set(diag, -EINVAL, "--directory",
                                "the host's own root can be run only with --ephemeral or --volatile=yes|state");
        return 0;
}

int gather_image(const struct spec *spec, struct facts *f, struct diag *diag) {
        int r = tree(spec, f, diag);

        if (r < 0)
                return r;
        if (spec->machine && !streq(spec->machine, ".host")) {
                f->machine = strdup(spec->machine);
                return f->machine ? 0 : -ENOMEM;
        }
        return name_from_tree(f->root, f, diag);
}
