/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the host's layout, finding and signalling. Making scopes: cgroup-scope.c; removing them: cgroup-remove.c. */
#include "backend/cgroup-host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/proc-text.h"
#include "core/name.h"
#include "sys/cgroup-signal.h"
#include "sys/cgroup.h"
#include "sys/fileio.h"
#include "sys/procfs.h"

#define MOUNTINFO_MAX (16U << 20)
#define KILL_PASSES 32

static int read_layout(struct cgroup_layout *ret) {
        AUTO_FREE char *mounts = NULL, *init = NULL;
        size_t mounts_size = 0, init_size = 0;

        /* What cannot be read is not there. */
        if (read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &mounts, &mounts_size) == -ENOMEM ||
            proc_read(1, "cgroup", &init, &init_size) == -ENOMEM)
                return -ENOMEM;
        return cgroup_layout_decode(strempty(mounts), mounts_size, strempty(init), init_size, ret);
}

/* The directory where the host's tree begins in a hierarchy, when we may make others in it. */
static int open_prefix(const struct cgroup_hierarchy *h) {
        AUTO_CLOSE int fd = -EBADF;
        int prefix;

        if (!h->mount || h->read_only)
                return -EBADF;
        fd = open(h->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -EBADF;
        prefix = cgroup_open(fd, *h->below ? h->below : ".");
        if (prefix < 0)
                return -EBADF;
        if (faccessat(prefix, ".", W_OK, AT_EACCESS) < 0) { /* mounted read-only, in a container of somebody's */
                close(prefix);
                return -EBADF;
        }
        return prefix;
}

static unsigned read_v2_controllers(int fd) {
        AUTO_FREE char *text = NULL;
        unsigned found = 0;

        if (read_file_at(fd, "cgroup.controllers", 4096, &text, NULL) < 0)
                return 0;
        for (char *rest = text, *word; (word = strsep(&rest, " \n"));) {
                int c = cgroup_controller_from_string(streq(word, "io") ? "blkio" : word);

                if (c >= 0 && c != CGROUP_FREEZER)
                        found |= 1U << c;
        }
        return found;
}

static void describe(struct cgroup_host *h) {
        static const char *const words[_CGROUP_MODE_MAX] = {
                [CGROUP_NONE] =
                        "no control group hierarchy that stock clients read: machines are tracked by their leaders",
                [CGROUP_V1] = "cgroup v1",
                [CGROUP_HYBRID] = "cgroup v1 and v2 (hybrid)",
                [CGROUP_V2] = "cgroup v2",
        };

        if (h->layout.mode == CGROUP_NONE || h->tracking_fd >= 0)
                snprintf(h->describe, sizeof(h->describe), "%s", words[h->layout.mode]);
        else
                snprintf(h->describe, sizeof(h->describe), "%s, not writable: machines are tracked by their leaders",
                         words[h->layout.mode]);
}

int cgroup_host_init(struct cgroup_host *h) {
        int r;

        *h = (struct cgroup_host){ .tracking_fd = -EBADF };
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                h->controller_fds[c] = -EBADF;
        r = read_layout(&h->layout);
        if (r < 0)
                return r;
        h->tracking_fd = open_prefix(&h->layout.tracking);
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX && h->tracking_fd >= 0; c++) {
                h->controller_fds[c] = open_prefix(&h->layout.v1[c]);
                if (h->controller_fds[c] >= 0)
                        h->available |= 1U << c;
        }
        if (h->layout.mode == CGROUP_V2 && h->tracking_fd >= 0)
                h->available = read_v2_controllers(h->tracking_fd);
        describe(h);
        return 0;
}

void cgroup_host_done(struct cgroup_host *h) {
        if (h->tracking_fd >= 0)
                close(h->tracking_fd);
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                if (h->controller_fds[c] >= 0)
                        close(h->controller_fds[c]);
        cgroup_layout_done(&h->layout);
}

int cgroup_host_locate(const struct cgroup_host *h, pid_t pid, char **ret) {
        AUTO_FREE char *text = NULL;
        size_t size;
        int r;

        if (!h->layout.tracking.mount)
                return -ENODATA;
        r = proc_read(pid, "cgroup", &text, &size);
        return r < 0 ? r : proc_cgroup_decode(text, size, cgroup_host_tracks_v2(h) ? "" : "name=systemd", ret);
}

const char *cgroup_host_below(const struct cgroup_hierarchy *hierarchy, const char *path) {
        const char *rest;

        if (!hierarchy->mount)
                return NULL;
        rest = startswith(path, hierarchy->prefix);
        if (!rest || (*rest != '/' && *rest != '\0' && *hierarchy->prefix))
                return NULL;
        rest += strspn(rest, "/");
        return *rest ? rest : ".";
}

int cgroup_host_open(const struct cgroup_host *h, const char *path) {
        const char *below = h->tracking_fd >= 0 ? cgroup_host_below(&h->layout.tracking, path) : NULL;

        return below ? cgroup_open(h->tracking_fd, below) : -ENOENT;
}

bool cgroup_host_may_signal(const struct cgroup_host *h, const char *path) {
        const char *below = cgroup_host_below(&h->layout.tracking, path), *rest;
        AUTO_FREE char *own = NULL; /* read each time: whoever supervises us may have moved us */

        if (!below || streq(below, ".") || cgroup_host_locate(h, getpid(), &own) < 0)
                return false;
        rest = startswith(own, path);
        return !rest || (*rest != '/' && *rest != '\0');
}

bool cgroup_host_is_of_machine(const struct cgroup_host *h, const struct machine *m) {
        AUTO_CLOSE int fd = -EBADF;
        struct stat st;

        if (m->uid == 0 || m->scope_created)
                return true;
        fd = m->cgroup ? cgroup_host_open(h, m->cgroup) : -EBADF;
        return fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == m->uid;
}

/* SIGKILL until nobody is found any more: what a process forks between being listed and being killed is found in the next
 * pass. Frozen processes cannot fork, but stay listed until they are thawed. */
static int kill_in_passes(int fd, bool frozen) {
        int r = 0, most = 0;

        for (int i = 0; i < (frozen ? 2 : KILL_PASSES); i++) {
                r = cgroup_signal(fd, SIGKILL);
                if (r <= 0)
                        break;
                most = r > most ? r : most;
        }
        return most > 0 ? most : r;
}

/* v1: with the freezer nothing can fork between being read and being signalled. */
static int signal_v1(const struct cgroup_host *h, int fd, const char *path, int sig) {
        int freezer_root = h->controller_fds[CGROUP_FREEZER], r;
        const char *below = freezer_root >= 0 ? cgroup_host_below(&h->layout.v1[CGROUP_FREEZER], path) : NULL;
        AUTO_CLOSE int freezer = below && sig == SIGKILL ? cgroup_open(freezer_root, below) : -EBADF;

        if (freezer >= 0)
                cgroup_freeze_v1(freezer, true);
        r = sig == SIGKILL ? kill_in_passes(fd, freezer >= 0) : cgroup_signal(fd, sig);
        if (freezer >= 0)
                cgroup_freeze_v1(freezer, false);
        return r;
}

int cgroup_host_signal(const struct cgroup_host *h, const char *path, int sig) {
        AUTO_CLOSE int fd = cgroup_host_open(h, path);
        int populated;

        if (!cgroup_host_may_signal(h, path))
                return -EPERM;
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (sig != SIGKILL && cgroup_is_large(fd)) /* of those that are to be killed there is no end otherwise */
                return -EFBIG;
        if (!cgroup_host_tracks_v2(h))
                return signal_v1(h, fd, path, sig);
        populated = cgroup_is_populated(fd);
        if (populated <= 0)
                return populated;
        if (sig != SIGKILL)
                return cgroup_signal(fd, sig);
        return cgroup_kill_v2(fd) >= 0 ? 1 : kill_in_passes(fd, false);
}

int cgroup_host_place(const struct cgroup_host *h, pid_t pid, struct placement *ret) {
        struct placement p = { NULL, NULL, NULL };
        int r;

        r = cgroup_host_locate(h, pid, &p.cgroup);
        if (r == -ESRCH || r == -ENOMEM)
                return r;
        if (r >= 0)
                r = cgroup_path_to_unit(p.cgroup, strempty(h->layout.tracking.prefix), &p.unit, &p.subgroup);
        if (r == -ENOMEM) {
                placement_done(&p);
                return r;
        }
        *ret = p;
        return 0;
}
