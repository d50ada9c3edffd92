/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers found in /proc are only hints: before each signal the process is held by a pidfd and compared with what was
 * seen. */
#include "muster-helper/kill-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "codec/proc-text.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define ANCESTORS_MAX 64
#define PROCESSES_MAX ((size_t) 262144)
#define ROUNDS_MAX 16    /* a fork bomb may outrun us: then what was seen is killed, and the caller may ask again */
#define NAMESPACES_UP 32 /* the kernel's own limit of nesting */

struct seen {
        pid_t pid, parent;
        uint64_t start;
        bool member;
};

struct seen_list {
        struct seen *entries;
        size_t n, n_sorted, allocated; /* the first n_sorted ascend */
};

static void seen_list_done(struct seen_list *l) {
        free(l->entries);
}

#define AUTO_SEEN AUTO(seen_list_done) struct seen_list

static int seen_list_add(struct seen_list *l, const struct seen *s) {
        if (l->n == l->allocated) {
                size_t more = l->allocated ? l->allocated * 2 : 256;
                struct seen *entries;

                if (more > PROCESSES_MAX)
                        return -EFBIG;
                entries = realloc(l->entries, more * sizeof(*entries));
                if (!entries)
                        return -ENOMEM;
                l->entries = entries;
                l->allocated = more;
        }
        l->entries[l->n++] = *s;
        return 0;
}

static int compare_seen(const void *pa, const void *pb) {
        const struct seen *a = pa, *b = pb;

        if (a->pid != b->pid)
                return a->pid < b->pid ? -1 : 1;
        return a->start == b->start ? 0 : a->start < b->start ? -1 : 1;
}

static int compare_pid(const void *pa, const void *pb) {
        const struct seen *a = pa, *b = pb;

        return a->pid == b->pid ? 0 : a->pid < b->pid ? -1 : 1;
}

static void seen_list_sort(struct seen_list *l) {
        if (l->n > 0)
                qsort(l->entries, l->n, sizeof(*l->entries), compare_seen);
        l->n_sorted = l->n;
}

/* Among the sorted ones. */
static struct seen *seen_list_find(const struct seen_list *l, const struct seen *key,
                                   int (*compare)(const void *a, const void *b)) {
        return l->n_sorted > 0 ? bsearch(key, l->entries, l->n_sorted, sizeof(*l->entries), compare) : NULL;
}

/* ---- whom we never signal ---- */

struct untouchable {
        pid_t pids[ANCESTORS_MAX + 1];
        size_t n;
};

static int read_stat(pid_t pid, pid_t *ret_parent, uint64_t *ret_start) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;
        int r;

        r = proc_read(pid, "stat", &text, &size);
        return r < 0 ? r : proc_stat_decode(text, size, ret_parent, ret_start);
}

static void untouchable_init(struct untouchable *u) {
        pid_t pid = getpid();
        uint64_t start;

        u->n = 0;
        while (pid > 1 && u->n < ANCESTORS_MAX) {
                u->pids[u->n++] = pid;
                if (read_stat(pid, &pid, &start) < 0)
                        break;
        }
        u->pids[u->n++] = 1;
}

static bool is_untouchable(const struct untouchable *u, pid_t pid) {
        for (size_t i = 0; i < u->n; i++)
                if (u->pids[i] == pid)
                        return true;
        return false;
}

/* ---- walking over /proc ---- */

static int for_each_process(int (*visit)(void *userdata, pid_t pid), void *userdata) {
        struct dirent *entry;
        DIR *dir = opendir("/proc");
        int r = 0;

        if (!dir)
                return -errno;
        while (r >= 0 && (entry = readdir(dir))) {
                uint32_t pid;

                if (parse_u32(entry->d_name, &pid) >= 0 && pid > 0 && pid <= INT_MAX)
                        r = visit(userdata, (pid_t) pid);
        }
        closedir(dir);
        return r < 0 ? r : 0;
}

/* ---- a pid namespace ---- */

struct namespace_walk {
        const struct untouchable *untouchable;
        struct stat own, wanted;
        int sig, error;
        uid_t uid;
        size_t n_signalled;
};

static bool same_file(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The last number of NSpid is what the process is called in its own namespace. */
static bool is_init_of_namespace(pid_t pid) {
        AUTO_FREE char *text = NULL;
        char *line, *end;

        if (proc_read(pid, "status", &text, NULL) < 0)
                return false;
        line = strstr(text, "\nNSpid:");
        if (!line)
                return false;
        line++;
        end = strchr(line, '\n');
        if (end)
                *end = '\0';
        end = strrchr(line, '\t');
        return end && streq(end + 1, "1");
}

/* In the namespace itself, or in one below it. */
static bool lives_in(const struct namespace_walk *w, pid_t pid) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int) pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        for (int up = 0; fd >= 0 && up <= NAMESPACES_UP; up++) {
                struct stat st;
                int parent;

                if (fstat(fd, &st) < 0 || same_file(&st, &w->own))
                        break;
                if (same_file(&st, &w->wanted)) {
                        close(fd);
                        return true;
                }
                parent = ioctl(fd, NS_GET_PARENT);
                close(fd);
                fd = parent;
        }
        if (fd >= 0)
                close(fd);
        return false;
}

/* p is held, so that it is asked about and signalled as one and the same. */
static int signal_held(const struct pidref *p, int sig, uid_t uid) {
        int r = uid == 0 ? 1 : proc_belongs_to(p->pid, uid);

        if (!pidref_is_alive(p))
                return -ESRCH;
        return r > 0 ? pidref_signal(p, sig) : r == 0 ? -EPERM : r;
}

static int signal_if_inside(void *userdata, pid_t pid) {
        struct namespace_walk *w = userdata;
        struct pidref p = PIDREF_EMPTY;
        int r;

        if (is_untouchable(w->untouchable, pid) || pidref_open(pid, &p) < 0)
                return 0;
        if (lives_in(w, pid)) {
                r = signal_held(&p, w->sig, w->uid);
                if (r == 0)
                        w->n_signalled++;
                else if (r != -ESRCH)
                        w->error = r;
        }
        pidref_done(&p);
        return 0;
}

static int signal_namespace(const struct untouchable *u, const struct pidref *leader, int sig, uid_t uid) {
        struct namespace_walk w = { .untouchable = u, .sig = sig, .uid = uid };
        char path[64];
        int r;

        snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int) leader->pid);
        if (stat(path, &w.wanted) < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        if (stat("/proc/self/ns/pid", &w.own) < 0)
                return -errno;
        if (!pidref_is_alive(leader))
                return -ESRCH;
        r = for_each_process(signal_if_inside, &w);
        if (r < 0)
                return r;
        return w.n_signalled > 0 ? 0 : w.error < 0 ? w.error : -ESRCH;
}

/* ---- a tree of processes ---- */

static int remember(void *userdata, pid_t pid) {
        struct seen s = { .pid = pid };

        if (read_stat(pid, &s.parent, &s.start) < 0)
                return 0; /* gone meanwhile */
        return seen_list_add(userdata, &s);
}

static bool is_member(const struct seen_list *l, pid_t pid) {
        const struct seen key = { .pid = pid };
        const struct seen *s = seen_list_find(l, &key, compare_pid);

        return s && s->member;
}

/* Marks root and all below it. Children mostly have the larger number and come later, so few passes are needed. */
static void mark_members(struct seen_list *l, const struct untouchable *u, pid_t root) {
        bool more = true;

        while (more) {
                more = false;
                for (size_t i = 0; i < l->n; i++) {
                        struct seen *s = &l->entries[i];

                        if (s->member || is_untouchable(u, s->pid) || (s->pid != root && !is_member(l, s->parent)))
                                continue;
                        s->member = more = true;
                }
        }
}

static int scan_tree(const struct untouchable *u, const struct pidref *leader, struct seen_list *ret) {
        int r;

        ret->n = ret->n_sorted = 0;
        r = for_each_process(remember, ret);
        if (r < 0)
                return r;
        seen_list_sort(ret);
        if (!pidref_is_alive(leader)) /* a zombie passes on its children, so its tree cannot be told any more */
                return -ESRCH;
        mark_members(ret, u, leader->pid);
        return 0;
}

static int signal_seen(const struct seen *s, int sig, uid_t uid) {
        struct pidref p = { .pid = s->pid, .start = s->start, .fd = -EBADF };
        int r = pidref_reopen(&p);

        if (r >= 0)
                r = signal_held(&p, sig, uid);
        pidref_done(&p);
        return r;
}

/* Signals all members of one scan that are not among `known`, and adds them there. Returns how many, -errno. */
static int signal_members(const struct seen_list *scan, struct seen_list *known, int sig, uid_t uid, int *error) {
        int n = 0, r;

        for (size_t i = 0; i < scan->n; i++) {
                const struct seen *s = &scan->entries[i];

                if (!s->member || seen_list_find(known, s, compare_seen))
                        continue;
                r = seen_list_add(known, s);
                if (r < 0)
                        return r;
                r = signal_seen(s, sig, uid);
                if (r == 0)
                        n++;
                else if (r != -ESRCH)
                        *error = r;
        }
        seen_list_sort(known);
        return n;
}

static int signal_tree(const struct untouchable *u, const struct pidref *leader, int sig, uid_t uid) {
        AUTO_SEEN scan = { NULL, 0, 0, 0 }, known = { NULL, 0, 0, 0 };
        int r, error = -ESRCH;

        r = scan_tree(u, leader, &scan);
        if (r < 0)
                return r;
        r = signal_members(&scan, &known, sig, uid, &error);
        return r > 0 ? 0 : r < 0 ? r : error;
}

/* Killing a parent first would hand its children to somebody else and hide them; killing children first lets the parent
 * fork more. So all are stopped, until a look finds no new ones, and then killed. */
static int destroy_tree(const struct untouchable *u, const struct pidref *leader, uid_t uid) {
        AUTO_SEEN scan = { NULL, 0, 0, 0 }, known = { NULL, 0, 0, 0 };
        int r = 1, error = -ESRCH, n_killed = 0;

        for (int round = 0; round < ROUNDS_MAX && r > 0; round++) {
                r = scan_tree(u, leader, &scan);
                if (r == 0)
                        r = signal_members(&scan, &known, SIGSTOP, uid, &error);
        }
        for (size_t i = 0; i < known.n; i++)
                if (signal_seen(&known.entries[i], SIGKILL, uid) == 0)
                        n_killed++;
        if (n_killed > 0)
                return 0;
        return r < 0 ? r : error;
}

int kill_tree(const struct pidref *leader, int sig, uid_t uid) {
        struct untouchable u;
        int r;

        untouchable_init(&u);
        if (is_untouchable(&u, leader->pid))
                return -EPERM;
        r = proc_same_namespace(leader->pid, 0, "pid");
        if (r < 0)
                return r;
        if (!pidref_is_alive(leader))
                return -ESRCH;
        if (r == 0 && is_init_of_namespace(leader->pid)) /* with its init the kernel kills the whole namespace */
                return sig == SIGKILL ? signal_held(leader, sig, uid) : signal_namespace(&u, leader, sig, uid);
        return sig == SIGKILL ? destroy_tree(&u, leader, uid) : signal_tree(&u, leader, sig, uid);
}
