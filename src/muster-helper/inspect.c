/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything here is done through descriptors: no chdir, no chroot, and the network namespace is left at once. */
#include "muster-helper/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/envfile.h"
#include "sys/netns-addresses.h"
#include "sys/path.h"
#include "sys/pidfd.h"

#define OS_RELEASE_MAX ((size_t) 16 * 1024)

int inspect_init(struct inspect *i) {
        i->own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (i->own_netns < 0)
                return -errno;
        i->own_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return i->own_root < 0 ? -errno : 0;
}

/* Opens /proc/PID/what; the process is leader's only if that lives on afterwards. A zombie has none of these files. */
static int open_of_process(const struct pidref *leader, const char *what, int flags) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int) leader->pid, what);
        fd = open(path, flags | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        if (!pidref_is_alive(leader)) {
                close(fd);
                return -ESRCH;
        }
        return fd;
}

/* ---- addresses ---- */

static int open_foreign_netns(const struct inspect *i, const struct pidref *leader) {
        AUTO_CLOSE int fd = open_of_process(leader, "ns/net", O_RDONLY);
        struct stat own, that;

        if (fd < 0)
                return fd;
        if (fstat(i->own_netns, &own) < 0 || fstat(fd, &that) < 0)
                return -errno;
        if (own.st_dev == that.st_dev && own.st_ino == that.st_ino)
                return -EHOSTUNREACH;
        return STEAL_FD(fd);
}

int inspect_addresses(struct inspect *i, const struct pidref *leader, struct helper_answer *ret) {
        static struct netns_address entries[HELPER_ADDRESSES_MAX];
        struct netns_addresses found = { .entries = entries, .max = ELEMENTS(entries) };
        AUTO_CLOSE int netns = -EBADF;
        int r;

        if (leader) {
                netns = open_foreign_netns(i, leader);
                if (netns < 0)
                        return netns;
        }
        r = netns_addresses(netns, i->own_netns, &found);
        if (r < 0)
                return r;
        for (size_t n = 0; n < found.n; n++) {
                ret->addresses[n].ifindex = found.entries[n].ifindex;
                ret->addresses[n].family = found.entries[n].family;
                memcpy(ret->addresses[n].bytes, found.entries[n].bytes, sizeof(found.entries[n].bytes));
        }
        ret->n_addresses = found.n;
        return 0;
}

/* ---- os-release ---- */

static int open_os_release(int root) {
        static const char *const paths[] = { "etc/os-release", "usr/lib/os-release" };
        int fd = -ENOENT;

        for (size_t n = 0; n < ELEMENTS(paths) && (fd == -ENOENT || fd == -ENOTDIR); n++)
                fd = open_regular_in_root(root, paths[n]);
        return fd == -ENOTDIR ? -ENOENT : fd;
}

/* The file may grow, shrink or fail while we read. */
static int read_text(int fd, char *text, size_t *ret_size) {
        size_t size = 0;

        for (;;) {
                ssize_t n = read(fd, text + size, OS_RELEASE_MAX + 1 - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > OS_RELEASE_MAX)
                        return -EFBIG;
        }
        *ret_size = size;
        return 0;
}

struct collection {
        struct helper_answer *answer;
        char store[OS_RELEASE_MAX + HELPER_STRINGS_MAX];
        size_t used;
};

/* The last assignment of a name counts, as in a shell. What may not travel (control characters, broken UTF-8, a name
 * that is none) is left out alone: the rest of the file is still good. */
static int collect(void *userdata, const char *key, const char *value) {
        struct collection *c = userdata;
        size_t key_size = strlen(key), size = key_size + 1 + strlen(value), at;
        char *s = c->store + c->used;

        if (size + 1 > sizeof(c->store) - c->used)
                return -EFBIG;
        snprintf(s, size + 1, "%s=%s", key, value);
        if (!helper_string_is_valid(s, size))
                return 0;
        for (at = 0; at < c->answer->n_strings; at++)
                if (strncmp(c->answer->strings[at], s, key_size + 1) == 0)
                        break;
        if (at == HELPER_STRINGS_MAX)
                return 0;
        c->answer->strings[at] = s;
        if (at == c->answer->n_strings)
                c->answer->n_strings++;
        c->used += size + 1;
        return 0;
}

int inspect_os_release(struct inspect *i, const struct pidref *leader, struct helper_answer *ret) {
        static char text[OS_RELEASE_MAX + 1];
        static struct collection collection;
        AUTO_CLOSE int root = -EBADF, fd = -EBADF;
        size_t size = 0;
        int r;

        if (leader) {
                root = open_of_process(leader, "root", O_PATH | O_DIRECTORY);
                if (root < 0)
                        return root;
        }
        fd = open_os_release(leader ? root : i->own_root);
        if (fd < 0)
                return fd;
        r = read_text(fd, text, &size);
        if (r < 0)
                return r;
        collection.answer = ret;
        collection.used = 0;
        r = envfile_parse(text, size, collect, &collection);
        ret->strings[ret->n_strings] = NULL;
        return r < 0 ? r : 0;
}

/* ---- the root ---- */

int inspect_open_root(struct inspect *i, const struct pidref *leader, int *ret) {
        int fd;

        if (leader)
                fd = open_of_process(leader, "root", O_RDONLY | O_DIRECTORY);
        else if ((fd = openat(i->own_root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                fd = -errno;
        if (fd < 0)
                return fd;
        *ret = fd;
        return 0;
}
