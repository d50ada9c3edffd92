/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two ways to the processes of a machine: its control group, found through the leader's own membership so that no layout
 * has to be assumed; or, for machines without one, /proc. What the kernel shows is a moment's picture; processes that
 * vanish while it is taken are left out. */
#include "muster/process-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>

#include "base/parse.h"
#include "codec/proc-text.h"
#include "muster/output.h"
#include "sys/procfs.h"

static void node_free(struct tree_node *n) {
        for (size_t i = 0; i < n->n_children; i++) {
                node_free(n->children[i]);
                free(n->children[i]);
        }
        free(n->children);
        free(n->group);
        free(n->command);
}

void process_tree_done(struct process_tree *t) {
        node_free(&t->root);
        free(t->cgroup);
        *t = (struct process_tree){ 0 };
}

/* The new node is owned by parent. group is copied. -E2BIG: enough. */
static int add_node(struct process_tree *t, struct tree_node *parent, const char *group, pid_t pid,
                    struct tree_node **ret) {
        struct tree_node *n;

        if (t->n_nodes >= PROCESS_TREE_NODES_MAX) {
                t->cut = true;
                return -E2BIG;
        }
        if ((parent->n_children & (parent->n_children - 1)) == 0) {
                size_t room = parent->n_children ? parent->n_children * 2 : 1;
                struct tree_node **bigger = reallocarray(parent->children, room, sizeof(struct tree_node *));

                if (!bigger)
                        return -ENOMEM;
                parent->children = bigger;
        }
        n = calloc(1, sizeof(*n));
        if (!n)
                return -ENOMEM;
        if (group) {
                n->group = strdup(group);
                if (!n->group) {
                        free(n);
                        return -ENOMEM;
                }
        }
        n->pid = pid;
        parent->children[parent->n_children++] = n;
        t->n_nodes++;
        *ret = n;
        return 0;
}

/* The arguments with blanks between, or [comm] for a process without (a zombie, a kernel thread). -ESRCH: gone. */
static int read_command(pid_t pid, char **ret) {
        AUTO_FREE char *text = NULL, *comm = NULL;
        size_t size = 0;
        int r;

        r = proc_read(pid, "cmdline", &text, &size);
        if (r < 0 && r != -EFBIG)
                return r;
        if (r == 0 && size > 0) {
                for (size_t i = 0; i + 1 < size; i++)
                        if (text[i] == '\0')
                                text[i] = ' ';
                *ret = STEAL(text);
                return 0;
        }
        r = proc_read(pid, "comm", &comm, &size);
        if (r < 0)
                return r;
        comm[strcspn(comm, "\n")] = '\0';
        return asprintf(ret, "[%s]", comm) < 0 ? -ENOMEM : 0;
}

static int add_process(struct process_tree *t, struct tree_node *parent, pid_t pid) {
        AUTO_FREE char *command = NULL;
        struct tree_node *n;
        int r;

        r = read_command(pid, &command);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        r = add_node(t, parent, NULL, pid, &n);
        if (r < 0)
                return r;
        n->command = STEAL(command);
        return 0;
}

/* --- by control group --- */

/* Where the hierarchy of `controller` ("" for v2) is mounted; malloc'ed. -ENOENT. Of several mounts the last one is on top;
 * the usual place goes before any other. */
static int find_mount(const char *controller, char **ret) {
        FILE *mounts = setmntent("/proc/self/mounts", "re");
        AUTO_FREE char *usual = NULL, *other = NULL;
        const struct mntent *m;
        int r = 0;

        if (!mounts)
                return -errno;
        while (r >= 0 && (m = getmntent(mounts))) {
                if (!streq(m->mnt_type, *controller ? "cgroup" : "cgroup2") ||
                    (*controller && !hasmntopt(m, controller)))
                        continue;
                r = str_replace(startswith(m->mnt_dir, "/sys/fs/cgroup") ? &usual : &other, m->mnt_dir);
        }
        endmntent(mounts);
        if (r < 0)
                return r;
        *ret = usual ? STEAL(usual) : STEAL(other);
        return *ret ? 0 : -ENOENT;
}

/* Cuts path behind the component `unit`, and behind subgroup (may be NULL) below it. false: not in there. */
static bool cut_at_unit(char *path, const char *unit, const char *subgroup) {
        size_t n = strlen(unit);

        for (char *p = path; (p = strstr(p, unit)); p += n) {
                if (p == path || p[-1] != '/' || (p[n] && p[n] != '/'))
                        continue;
                p += n;
                if (!isempty(subgroup)) {
                        size_t m = strlen(subgroup);

                        if (*p != '/' || strncmp(p + 1, subgroup, m) != 0 || (p[1 + m] && p[1 + m] != '/'))
                                return false;
                        p += 1 + m;
                }
                *p = '\0';
                return true;
        }
        return false;
}

static int add_group_processes(struct process_tree *t, struct tree_node *parent, int dir_fd) {
        int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
        unsigned pid;
        int r = 0;

        if (!f) {
                if (fd >= 0)
                        close(fd);
                return 0;
        }
        while (r == 0 && fscanf(f, "%u", &pid) == 1)
                if (pid > 0) /* 0: of another pid namespace */
                        r = add_process(t, parent, (pid_t) pid);
        fclose(f);
        return r;
}

static int add_group(struct process_tree *t, struct tree_node *parent, int dir_fd, unsigned depth) {
        struct dirent *entry;
        DIR *dir;
        int r, copy;

        r = add_group_processes(t, parent, dir_fd);
        if (r < 0)
                return r;
        if (depth >= PROCESS_TREE_DEPTH_MAX) {
                t->cut = true;
                return 0;
        }
        copy = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir) {
                if (copy >= 0)
                        close(copy);
                return 0;
        }
        while (r == 0 && (entry = readdir(dir))) {
                AUTO_CLOSE int fd = -EBADF;
                struct tree_node *n;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0)
                        continue;
                r = add_node(t, parent, entry->d_name, 0, &n);
                if (r == 0)
                        r = add_group(t, n, fd, depth + 1);
        }
        closedir(dir);
        return r;
}

/* -ENOENT: the machine has no control group in that hierarchy. */
static int read_hierarchy(struct process_tree *t, const struct machine_view *v, const char *memberships, size_t size,
                          const char *controller) {
        AUTO_FREE char *mount = NULL, *path = NULL, *full = NULL;
        AUTO_CLOSE int fd = -EBADF;
        int r;

        r = proc_cgroup_decode(memberships, size, controller, &path);
        if (r < 0)
                return r == -ENOMEM ? r : -ENOENT;
        if (!cut_at_unit(path, v->unit, v->subgroup))
                return -ENOENT;
        r = find_mount(controller, &mount);
        if (r < 0)
                return r == -ENOMEM ? r : -ENOENT;
        if (asprintf(&full, "%s%s", mount, path) < 0) {
                full = NULL;
                return -ENOMEM;
        }
        fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -ENOENT;
        r = add_group(t, &t->root, fd, 0);
        if (r == -ENOMEM)
                return r;
        t->cgroup = STEAL(path);
        t->source = TREE_CGROUP;
        return 0;
}

static int read_cgroup(struct process_tree *t, const struct machine_view *v) {
        static const char *const controllers[] = { "", "name=systemd", "pids", "memory", "cpu", "devices", "freezer" };
        AUTO_FREE char *memberships = NULL;
        size_t size;
        int r = -ENOENT;

        if (!v->unit || proc_read(v->leader.pid, "cgroup", &memberships, &size) < 0)
                return -ENOENT;
        for (size_t i = 0; r == -ENOENT && i < ELEMENTS(controllers); i++)
                r = read_hierarchy(t, v, memberships, size, controllers[i]);
        return r;
}

/* --- by /proc --- */

struct proc_entry {
        pid_t pid, parent;
        bool ours;
};

static int by_pid(const void *a, const void *b) {
        const struct proc_entry *x = a, *y = b;

        return (x->pid > y->pid) - (x->pid < y->pid);
}

/* All processes, sorted by number. */
static int read_proc(struct proc_entry **ret, size_t *ret_n) {
        struct proc_entry *list = NULL;
        DIR *dir = opendir("/proc");
        struct dirent *entry;
        size_t n = 0;

        if (!dir)
                return -errno;
        while ((entry = readdir(dir))) {
                AUTO_FREE char *stat = NULL;
                uint64_t start;
                uint32_t pid;
                pid_t parent;
                size_t size;

                if (parse_u32(entry->d_name, &pid) < 0 || proc_read((pid_t) pid, "stat", &stat, &size) < 0 ||
                    proc_stat_decode(stat, size, &parent, &start) < 0)
                        continue;
                if ((n & (n - 1)) == 0) {
                        struct proc_entry *bigger = reallocarray(list, n ? n * 2 : 1, sizeof(*list));

                        if (!bigger) {
                                free(list);
                                closedir(dir);
                                return -ENOMEM;
                        }
                        list = bigger;
                }
                list[n++] = (struct proc_entry){ .pid = (pid_t) pid, .parent = parent };
        }
        closedir(dir);
        if (n > 1)
                qsort(list, n, sizeof(*list), by_pid);
        *ret = list;
        *ret_n = n;
        return 0;
}

static struct proc_entry *find_entry(struct proc_entry *list, size_t n, pid_t pid) {
        const struct proc_entry key = { .pid = pid };

        return n ? bsearch(&key, list, n, sizeof(*list), by_pid) : NULL;
}

/* Bounded: parents may change while the picture is taken, and then form a circle. */
static bool descends_from(struct proc_entry *list, size_t n, const struct proc_entry *e, pid_t leader) {
        for (unsigned steps = 0; e && steps < 4096; steps++) {
                if (e->pid == leader)
                        return true;
                e = find_entry(list, n, e->parent);
        }
        return false;
}

static int add_children(struct process_tree *t, struct tree_node *parent, const struct proc_entry *list, size_t n,
                        pid_t of, unsigned depth) {
        for (size_t i = 0; i < n; i++) {
                size_t before = parent->n_children;
                int r;

                if (!list[i].ours || list[i].parent != of || list[i].pid == of)
                        continue;
                r = add_process(t, parent, list[i].pid);
                if (depth >= PROCESS_TREE_DEPTH_MAX)
                        t->cut = true;
                else if (r == 0 && parent->n_children > before)
                        r = add_children(t, parent->children[before], list, n, list[i].pid, depth + 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_processes(struct process_tree *t, const struct machine_view *v) {
        pid_t leader = v->leader.pid;
        bool own_namespace = proc_same_namespace(leader, 0, "pid") == 0;
        AUTO_FREE struct proc_entry *list = NULL;
        size_t n = 0;
        int r;

        t->source = own_namespace ? TREE_NAMESPACE : TREE_DESCENDANTS;
        r = read_proc(&list, &n);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < n; i++)
                list[i].ours = descends_from(list, n, list + i, leader) ||
                               (own_namespace && proc_same_namespace(list[i].pid, leader, "pid") == 1);
        /* The leader, and who came in from outside: their parent is none of ours. */
        for (size_t i = 0; r == 0 && i < n; i++) {
                const struct proc_entry *parent = find_entry(list, n, list[i].parent);
                size_t before = t->root.n_children;

                if (!list[i].ours || (parent && parent->ours && list[i].pid != leader))
                        continue;
                r = add_process(t, &t->root, list[i].pid);
                if (r == 0 && t->root.n_children > before)
                        r = add_children(t, t->root.children[before], list, n, list[i].pid, 0);
        }
        return r == -ENOMEM ? r : 0;
}

int process_tree_read(const struct machine_view *v, struct process_tree *ret) {
        struct process_tree t = { 0 };
        int r = 0;

        if (v->leader.pid > 0) {
                r = read_cgroup(&t, v);
                if (r == -ENOENT)
                        r = read_processes(&t, v);
        }
        if (r < 0) {
                process_tree_done(&t);
                return r;
        }
        *ret = t;
        return 0;
}

/* --- showing --- */

struct branches {
        const char *item, *last, *through, *blank;
};

static void append_label(const struct tree_node *n, unsigned room, struct buf *out) {
        AUTO_FREE char *text = output_safe(n->group ? n->group : n->command, false);
        AUTO_FREE char *label = NULL;
        size_t size;

        if (n->group ? asprintf(&label, "%s", text) < 0 : asprintf(&label, "%d %s", (int) n->pid, text) < 0)
                abort();
        size = strlen(label);
        while (size > 0 && label[size - 1] == ' ')
                size--;
        if (room > 3 && size > room) { /* plain ASCII by now */
                buf_append(out, label, room - 3);
                buf_append_str(out, "...");
        } else
                buf_append(out, label, size);
        buf_append_char(out, '\n');
}

static void append_nodes(const struct tree_node *parent, const struct branches *b, const char *prefix, unsigned used,
                         unsigned width, struct buf *out) {
        for (size_t i = 0; i < parent->n_children; i++) {
                const struct tree_node *n = parent->children[i];
                bool last = i + 1 == parent->n_children;
                AUTO_BUF struct buf deeper = BUF_EMPTY;

                buf_printf(out, "%s%s", prefix, last ? b->last : b->item);
                append_label(n, width > used + 2 ? width - used - 2 : width ? 4 : 0, out);
                buf_printf(&deeper, "%s%s", prefix, last ? b->blank : b->through);
                if (!buf_error(&deeper))
                        append_nodes(n, b, deeper.data, used + 2, width, out);
        }
}

void process_tree_text(const struct process_tree *t, unsigned indent, unsigned width, struct buf *out) {
        static const struct branches utf8 = { "\xe2\x94\x9c\xe2\x94\x80", "\xe2\x94\x94\xe2\x94\x80", "\xe2\x94\x82 ",
                                              "  " };
        static const struct branches ascii = { "|-", "`-", "| ", "  " };
        char prefix[64];

        snprintf(prefix, sizeof(prefix), "%*s", (int) indent, "");
        append_nodes(&t->root, output_is_utf8() ? &utf8 : &ascii, prefix, indent, width, out);
        if (t->cut)
                buf_printf(out, "%s(more processes than are shown)\n", prefix);
}

static void json_nodes(const struct tree_node *parent, const char *group, struct json_text *j) {
        for (size_t i = 0; i < parent->n_children; i++) {
                const struct tree_node *n = parent->children[i];
                AUTO_FREE char *path = NULL;

                if (n->group) {
                        if (asprintf(&path, "%s/%s", strempty(group), n->group) < 0)
                                abort();
                        json_nodes(n, path, j);
                        continue;
                }
                json_text_begin_object(j, NULL);
                json_text_signed(j, "pid", n->pid);
                json_text_string(j, "command", n->command);
                json_text_string_if(j, "cgroup", group);
                json_text_end_object(j);
                json_nodes(n, group, j);
        }
}

void process_tree_json(const struct process_tree *t, struct json_text *j) {
        json_text_begin_array(j, "processes");
        json_nodes(&t->root, t->cgroup, j);
        json_text_end_array(j);
}
