/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the records without the daemon: a file is believed as far as its leader can be found. Records of the original,
 * before it wrote pidfd ids, name a bare pid: there, that some process has the number is all that can be known. */
#include "client/state-dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "codec/state.h"
#include "core/name.h"
#include "sys/fileio.h"
#include "sys/pidfd.h"

static int open_dir(const char *run_dir) {
        char path[4096];
        int n = snprintf(path, sizeof(path), "%s/systemd/machines", run_dir), fd;

        if (n < 0 || (size_t) n >= sizeof(path))
                return -ENAMETOOLONG;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* All zero when it cannot be read: then boots are not compared. */
static struct id128 read_boot_id(void) {
        AUTO_FREE char *text = NULL;
        struct id128 id = { 0 };

        if (read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL) == 0) {
                text[strcspn(text, "\n")] = '\0';
                (void) id128_from_string(text, &id);
        }
        return id;
}

static bool leader_lives(const struct machine *m, const struct id128 *recorded, const struct id128 *now) {
        struct pidref p = m->leader;
        bool alive;
        int r;

        if (!pidref_is_set(&p))
                return false;
        if (!id128_is_null(recorded) && !id128_is_null(now) && !id128_equal(recorded, now))
                return false;
        p.fd = -EBADF;
        r = p.id || p.start ? pidref_reopen(&p) : pidref_open(p.pid, &p);
        if (r < 0)
                return false;
        alive = pidref_is_alive(&p);
        pidref_done(&p);
        return alive;
}

/* Moves the texts out of the record. */
static int view_from_record(struct machine *m, struct machine_view *ret) {
        struct machine_view v;
        char id[ID128_STRING_SIZE];

        machine_view_init(&v);
        if (!id128_is_null(&m->id) && str_replace(&v.id, id128_to_string(&m->id, id)) < 0)
                goto no_memory;
        if (str_replace(&v.class, machine_class_to_string(m->class)) < 0 ||
            str_replace(&v.state, machine_state_to_string(m->state)) < 0)
                goto no_memory;
        v.name = STEAL(m->name);
        v.service = STEAL(m->service);
        v.root_directory = STEAL(m->root_directory);
        v.unit = STEAL(m->unit);
        v.subgroup = STEAL(m->subgroup);
        v.ssh_address = STEAL(m->ssh_address);
        v.ssh_private_key_path = STEAL(m->ssh_private_key_path);
        v.control_address = STEAL(m->control_address);
        v.leader = (struct view_process){ m->leader.pid, m->leader.id };
        v.supervisor = (struct view_process){ m->supervisor.pid, m->supervisor.id };
        v.realtime_usec = m->realtime_usec;
        v.monotonic_usec = m->monotonic_usec;
        v.vsock_cid = m->vsock_cid;
        v.uid = m->uid;
        v.ifindices = STEAL(m->ifindices);
        v.n_ifindices = m->n_ifindices;
        m->n_ifindices = 0;
        *ret = v;
        return 0;

no_memory:
        machine_view_done(&v);
        return -ENOMEM;
}

static int read_record(int dir_fd, const char *name, struct machine **ret, struct id128 *ret_boot_id) {
        AUTO_FREE char *text = NULL;
        struct diag d = { 0 };
        size_t size;
        int r;

        if (!machine_name_is_valid(name))
                return -EINVAL;
        r = read_file_at(dir_fd, name, STATE_FILE_MAX, &text, &size);
        if (r < 0)
                return r;
        return state_decode(name, text, size, ret, ret_boot_id, &d);
}

static int read_live(int dir_fd, const char *name, const struct id128 *boot_id, struct machine_view *ret) {
        AUTO(machine_freep) struct machine *m = NULL;
        struct id128 recorded;
        int r;

        r = read_record(dir_fd, name, &m, &recorded);
        if (r < 0)
                return r;
        if (!leader_lives(m, &recorded, boot_id))
                return -ENOENT;
        return view_from_record(m, ret);
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct machine_view *) a)->name, ((const struct machine_view *) b)->name);
}

static int grow(struct machine_view **list, size_t n) {
        struct machine_view *bigger;

        if ((n & (n - 1)) != 0) /* room is always a power of two */
                return 0;
        bigger = reallocarray(*list, n ? n * 2 : 1, sizeof(**list));
        if (!bigger)
                return -ENOMEM;
        *list = bigger;
        return 0;
}

static int read_all(DIR *dir, struct machine_view **list, size_t *n) {
        const struct id128 boot_id = read_boot_id();
        struct dirent *entry;
        int r;

        while (*n < STATE_DIR_MACHINES_MAX && (entry = readdir(dir))) {
                if (!machine_name_is_valid(entry->d_name)) /* "unit:..." links, temporaries, ".host" */
                        continue;
                r = grow(list, *n);
                if (r < 0)
                        return r;
                r = read_live(dirfd(dir), entry->d_name, &boot_id, *list + *n);
                if (r == -ENOMEM)
                        return r;
                if (r == 0)
                        (*n)++;
        }
        return 0;
}

int state_dir_list(const char *run_dir, struct machine_view **ret, size_t *ret_n) {
        struct machine_view *list = NULL;
        size_t n = 0;
        int fd = open_dir(run_dir), r;
        DIR *dir;

        if (fd == -ENOENT || fd == -ENOTDIR) {
                *ret = NULL;
                *ret_n = 0;
                return 0;
        }
        if (fd < 0)
                return fd;
        dir = fdopendir(fd);
        if (!dir) {
                r = -errno;
                close(fd);
                return r;
        }
        r = read_all(dir, &list, &n);
        closedir(dir);
        if (r < 0) {
                for (size_t i = 0; i < n; i++)
                        machine_view_done(list + i);
                free(list);
                return r;
        }
        if (n > 1)
                qsort(list, n, sizeof(*list), by_name);
        *ret = list;
        *ret_n = n;
        return 0;
}

int state_dir_get(const char *run_dir, const char *name, struct machine_view *ret) {
        const struct id128 boot_id = read_boot_id();
        AUTO_CLOSE int fd = open_dir(run_dir);

        if (fd < 0)
                return fd == -ENOTDIR ? -ENOENT : fd;
        return read_live(fd, name, &boot_id, ret);
}

void state_dir_complete(const char *run_dir, struct machine_view *view) {
        AUTO(machine_freep) struct machine *m = NULL;
        AUTO_CLOSE int fd = open_dir(run_dir);
        struct id128 boot_id;

        if (fd < 0 || read_record(fd, view->name, &m, &boot_id) < 0)
                return;
        if (view->leader.pid > 0 && m->leader.pid != view->leader.pid) /* a later machine of that name */
                return;
        if (!view->state)
                (void) str_replace(&view->state, machine_state_to_string(m->state));
        if (!view->ifindices) {
                view->ifindices = STEAL(m->ifindices);
                view->n_ifindices = m->n_ifindices;
                m->n_ifindices = 0;
        }
}
