/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything is read below one descriptor of /proc/PID. While the pidfd says that the leader lives, its number is its own: so what
 * that directory is, is checked once, after it was opened. */
#include "muster-enter/leader.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/cgroup-layout.h"
#include "sys/cgroup.h"
#include "sys/fileio.h"
#include "sys/pidfd.h"
#include "sys/process-life.h"
#include "sys/procfs.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define MOUNTINFO_MAX ((size_t) 4 << 20)
#define TEXT_MAX 65536

/* The user namespace is the last, for who joins one by one: what comes before it needs our rights in ours. */
static const struct {
        const char *name;
        int flag;
} kinds[LEADER_NAMESPACES] = {
        { "ns/cgroup", CLONE_NEWCGROUP }, { "ns/ipc", CLONE_NEWIPC },   { "ns/uts", CLONE_NEWUTS },
        { "ns/net", CLONE_NEWNET },       { "ns/pid", CLONE_NEWPID },   { "ns/time", CLONE_NEWTIME },
        { "ns/mnt", CLONE_NEWNS },        { "ns/user", CLONE_NEWUSER },
};

static int gone(struct diag *d) {
        return diag_set(d, -ESRCH, NULL, "The machine has ended.");
}

bool leader_is_ending(const struct leader *l) {
        struct pidref p = { .fd = l->pidfd };

        return !pidref_is_alive(&p) || process_is_ending(l->proc);
}

/* ---- looking ---- */

static int open_proc(struct leader *l, struct diag *d) {
        struct pidref p = { .fd = l->pidfd };
        char path[32];
        int r;

        if (pidfd_to_pid(l->pidfd, &l->pid) < 0)
                return gone(d);
        snprintf(path, sizeof(path), "/proc/%d", (int) l->pid);
        l->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (l->proc < 0 || !pidref_is_alive(&p))
                return gone(d);
        r = process_await_start(l->proc);
        if (r < 0)
                return diag_set(d, r, NULL, "The machine is still being started.");
        l->root = openat(l->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (l->root < 0)
                return diag_set(d, -errno, NULL, "Cannot open the root directory of the machine: %s.", strerror(errno));
        return 0;
}

static int find_namespaces(struct leader *l, struct diag *d) {
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                char own_path[32];
                struct stat own, that;

                snprintf(own_path, sizeof(own_path), "/proc/self/%s", kinds[i].name);
                if (stat(own_path, &own) < 0) /* a kernel without this kind */
                        continue;
                if (fstatat(l->proc, kinds[i].name, &that, 0) < 0)
                        return gone(d);
                if (own.st_dev == that.st_dev && own.st_ino == that.st_ino)
                        continue;
                l->namespace_fds[i] = openat(l->proc, kinds[i].name, O_RDONLY | O_CLOEXEC);
                if (l->namespace_fds[i] < 0)
                        return gone(d);
                l->namespaces |= kinds[i].flag;
        }
        return 0;
}

static int read_confinement(struct leader *l, struct diag *d) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;

        if (read_record_at(l->proc, "status", TEXT_MAX, &text, &size) < 0)
                return gone(d);
        if (proc_status_decode(text, size, &l->confinement) < 0)
                return diag_set(d, -EBADMSG, NULL, "Cannot tell how the machine is confined.");
        return 0;
}

/* "NAME (enforce)": the mode goes with the profile and cannot be asked for. */
static char *read_label(int dir_fd, const char *path) {
        AUTO_FREE char *text = NULL;

        if (read_record_at(dir_fd, path, TEXT_MAX, &text, NULL) < 0 || !*text) /* -EINVAL: no security module has one */
                return NULL;
        text[strcspn(text, "\n")] = '\0';
        if (endswith(text, " (enforce)") || endswith(text, " (complain)") || endswith(text, " (kill)"))
                *strrchr(text, ' ') = '\0';
        return STEAL(text);
}

/* To set it is not for nothing: the kernel looks for everybody who shares the memory, which is the first process then
 * (sys/clone-beside.h). */
static void read_oom_score(struct leader *l) {
        AUTO_FREE char *own = NULL;

        (void) read_record_at(AT_FDCWD, "/proc/self/oom_score_adj", 64, &own, NULL);
        (void) read_record_at(l->proc, "oom_score_adj", 64, &l->oom_score, NULL);
        if (streq_ptr(own, l->oom_score))
                free(STEAL(l->oom_score));
}

/* The files of AppArmor are there wherever the kernel was built with it; they can be read where it is switched on. */
static void read_traits(struct leader *l) {
        AUTO_FREE char *own = read_label(AT_FDCWD, "/proc/self/attr/apparmor/current");

        l->label_is_profile = own != NULL;
        if (!own)
                own = read_label(AT_FDCWD, "/proc/self/attr/current");
        l->label = read_label(l->proc, l->label_is_profile ? "attr/apparmor/current" : "attr/current");
        if (l->label && streq_ptr(own, l->label)) {
                free(l->label);
                l->label = NULL;
        }
        read_oom_score(l);
        for (int i = 0; i < RLIM_NLIMITS; i++)
                if (prlimit(l->pid, i, NULL, &l->limits[i]) == 0)
                        l->has_limits |= 1U << i;
}

/* ---- control groups ---- */

static int out_of_reach(struct diag *d) {
        return diag_set(d, -EXDEV, NULL, "The machine's control group cannot be reached from here.");
}

static int add_cgroup(struct leader *l, const struct cgroup_hierarchy *h, const char *path, bool v2, struct diag *d) {
        AUTO_FREE char *below = NULL;
        AUTO_CLOSE int mount = -EBADF;
        const char *rest = startswith(path, h->prefix);
        int fd;

        if (!rest || l->n_cgroups == LEADER_HIERARCHIES)
                return out_of_reach(d);
        if (asprintf(&below, "%s%s", strempty(h->below), rest) < 0) {
                below = NULL;
                return -ENOMEM;
        }
        mount = cgroup_open_mount(h->mount);
        fd = mount < 0 ? mount : cgroup_open(mount, below + strspn(below, "/"));
        if (fd < 0)
                return diag_set(d, fd, NULL, "Cannot open the machine's control group: %s.", strerror(-fd));
        l->cgroups[l->n_cgroups++] = (struct leader_cgroup){ fd, v2 };
        return 0;
}

/* controller as in /proc/PID/cgroup: "" is cgroup2. */
static int find_cgroup(struct leader *l, const struct cgroup_hierarchy *h, const char *controller,
                       const char *that_text, const char *own_text, struct diag *d) {
        AUTO_FREE char *that = NULL, *own = NULL;
        int r;

        if (!h->mount)
                return 0;
        r = proc_cgroup_decode(that_text, strlen(that_text), controller, &that);
        if (r == -ENODATA)
                return 0;
        if (r < 0) /* above what we may see: it cannot be joined, and without its limits nothing is run */
                return out_of_reach(d);
        if (proc_cgroup_decode(own_text, strlen(own_text), controller, &own) >= 0 && streq(own, that))
                return 0;
        return add_cgroup(l, h, that, !*controller, d);
}

static bool seen_before(const struct cgroup_layout *layout, int i) {
        for (int k = 0; k < i; k++)
                if (streq_ptr(layout->v1[k].mount, layout->v1[i].mount))
                        return true; /* mounted together */
        return false;
}

static int find_all_cgroups(struct leader *l, const struct cgroup_layout *layout, const char *that, const char *own,
                            struct diag *d) {
        bool v2 = layout->mode != CGROUP_V1;
        int r = 0;

        if (layout->tracking.mount)
                r = find_cgroup(l, &layout->tracking, v2 ? "" : "name=systemd", that, own, d);
        for (int i = 0; r >= 0 && i < _CGROUP_CONTROLLER_MAX; i++)
                if (layout->v1[i].mount && !seen_before(layout, i))
                        r = find_cgroup(l, &layout->v1[i],
                                        i == CGROUP_SYSTEMD ? "name=systemd" : cgroup_controller_to_string(i), that,
                                        own, d);
        return r;
}

static int find_cgroups(struct leader *l, struct diag *d) {
        AUTO_FREE char *mounts = NULL, *first = NULL, *own = NULL, *that = NULL;
        struct cgroup_layout layout = { 0 };
        size_t mounts_size, first_size = 0;
        int r;

        if (read_record_at(AT_FDCWD, "/proc/self/cgroup", TEXT_MAX, &own, NULL) < 0)
                return 0; /* no control groups at all */
        if (read_record_at(l->proc, "cgroup", TEXT_MAX, &that, NULL) < 0)
                return gone(d);
        if (streq(own, that))
                return 0;
        r = read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &mounts, &mounts_size);
        if (r < 0)
                return diag_set(d, r, NULL, "Cannot read the table of mounts: %s.", strerror(-r));
        (void) read_record_at(AT_FDCWD, "/proc/1/cgroup", TEXT_MAX, &first, &first_size);
        r = cgroup_layout_decode(mounts, mounts_size, strempty(first), first_size, &layout);
        if (r < 0)
                return diag_set(d, r, NULL, "Cannot tell where control groups are: %s.", strerror(-r));
        r = find_all_cgroups(l, &layout, that, own, d);
        cgroup_layout_done(&layout);
        return r;
}

int leader_open(int pidfd, struct leader *ret, struct diag *d) {
        int r;

        *ret = (struct leader){ .pidfd = pidfd, .proc = -EBADF, .root = -EBADF };
        for (size_t i = 0; i < LEADER_NAMESPACES; i++)
                ret->namespace_fds[i] = -EBADF;
        r = open_proc(ret, d);
        if (r >= 0)
                r = find_namespaces(ret, d);
        if (r >= 0)
                r = read_confinement(ret, d);
        if (r >= 0)
                r = find_cgroups(ret, d);
        if (r >= 0)
                read_traits(ret);
        if (r >= 0 && leader_is_ending(ret))
                r = gone(d);
        return r;
}

void leader_done(struct leader *l) {
        for (size_t i = 0; i < LEADER_NAMESPACES; i++)
                if (l->namespace_fds[i] > 0) /* 0: leader_open() did not come that far */
                        close(l->namespace_fds[i]);
        for (size_t i = 0; i < l->n_cgroups; i++)
                close(l->cgroups[i].fd);
        if (l->root >= 0)
                close(l->root);
        if (l->proc >= 0)
                close(l->proc);
        free(l->label);
        free(l->oom_score);
}

/* ---- joining ---- */

int leader_join_cgroups(const struct leader *l, struct diag *d) {
        for (size_t i = 0; i < l->n_cgroups; i++) {
                const struct leader_cgroup *c = &l->cgroups[i];
                int r;

                if (c->v2)
                        continue;
                r = write_attribute_text_at(c->fd, "tasks", "0");
                if (r < 0)
                        return diag_set(d, r, NULL, "Cannot join the machine's control group: %s.", strerror(-r));
        }
        return 0;
}

static int set_label(const struct leader *l, struct diag *d) {
        bool profile = l->label_is_profile;
        AUTO_FREE char *text = NULL;
        int r;

        if (asprintf(&text, profile ? "exec %s" : "%s", l->label) < 0) {
                text = NULL;
                return -ENOMEM;
        }
        r = write_attribute_text_at(AT_FDCWD, profile ? "/proc/self/attr/apparmor/exec" : "/proc/self/attr/exec", text);
        if (r < 0)
                return diag_set(d, r, NULL, "Cannot take the security label of the machine: %s.", strerror(-r));
        return 0;
}

/* Limits, the out-of-memory score and the label go on to the process that we start. The first two are best effort: where we may not
 * raise ours there is none of the machine that could have been raised by us. */
int leader_take_traits(const struct leader *l, struct diag *d) {
        for (int i = 0; i < RLIM_NLIMITS; i++)
                if (l->has_limits & (1U << i))
                        (void) setrlimit(i, &l->limits[i]);
        if (l->oom_score)
                (void) write_attribute_text_at(AT_FDCWD, "/proc/self/oom_score_adj", l->oom_score);
        return l->label ? set_label(l, d) : 0;
}

static int cannot_join(int error, struct diag *d) {
        if (error == -ESRCH)
                return gone(d);
        return diag_set(d, error, NULL, "Cannot join the namespaces of the machine: %s.", strerror(-error));
}

/* All at once by pidfd (Linux 5.8), so that they are those of one moment; before that one by one. */
int leader_join_namespaces(const struct leader *l, struct diag *d) {
        if (l->namespaces && setns(l->pidfd, l->namespaces) < 0) {
                if (errno != EINVAL && errno != EBADF)
                        return cannot_join(-errno, d);
                for (size_t i = 0; i < LEADER_NAMESPACES; i++)
                        if (l->namespace_fds[i] >= 0 && setns(l->namespace_fds[i], kinds[i].flag) < 0)
                                return cannot_join(-errno, d);
        }
        if (fchdir(l->root) < 0 || chroot(".") < 0 || chdir("/") < 0)
                return diag_set(d, -errno, NULL, "Cannot enter the root directory of the machine: %s.",
                                strerror(errno));
        return 0;
}
