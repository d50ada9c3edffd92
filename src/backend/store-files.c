/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records as files that stock libsystemd reads: NAME, and unit:UNIT -> NAME for machines that own their unit. The directory
 * lives on a tmpfs, so nothing is synced: it is meant to outlive us, not the host. */
#include "backend/store-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "codec/state.h"
#include "core/name.h"
#include "sys/fileio.h"
#include "sys/procfs.h"

#define LINK_NAME_MAX (sizeof("unit:") + UNIT_NAME_MAX)
#define BAD_SUFFIX ".bad"

struct store_files {
        int fd; /* RUN/systemd/machines */
        char *path;
        struct id128 boot_id;
        struct buf text; /* kept between writes */
};

int store_files_new(const char *run, struct store_files **ret) {
        AUTO(store_files_freep) struct store_files *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->fd = -EBADF;
        if (asprintf(&s->path, "%s/systemd/machines", run) < 0) {
                s->path = NULL;
                return -ENOMEM;
        }
        r = mkdir_parents(s->path, 0755);
        if (r < 0)
                return r;
        s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->fd < 0)
                return -errno;
        r = proc_boot_id(&s->boot_id);
        if (r < 0)
                return r;
        *ret = STEAL(s);
        return 0;
}

void store_files_free(struct store_files *s) {
        if (!s)
                return;
        if (s->fd >= 0)
                close(s->fd);
        buf_done(&s->text);
        free(s->path);
        free(s);
}

/* ---- writing ---- */

static void link_name(const struct machine *m, char ret[static LINK_NAME_MAX]) {
        snprintf(ret, LINK_NAME_MAX, "unit:%s", m->unit);
}

static int store_save(void *impl, const struct machine *m) {
        struct store_files *s = impl;
        char name[LINK_NAME_MAX];
        int r;

        buf_clear(&s->text);
        r = state_encode(m, &s->boot_id, &s->text);
        if (r >= 0)
                r = write_file_atomic_at(s->fd, m->name, s->text.data, s->text.size, 0644, false);
        if (r < 0 || !machine_is_whole_unit(m))
                return r;
        link_name(m, name);
        r = symlink_atomic_at(s->fd, m->name, name);
        return r == -ENAMETOOLONG ? 0 : r; /* no file can be called "unit:" and the longest units: it goes without */
}

static bool links_to(struct store_files *s, const char *name, const char *machine) {
        char target[MACHINE_NAME_MAX + 2];
        ssize_t n = readlinkat(s->fd, name, target, sizeof(target) - 1);

        if (n < 0)
                return false;
        target[n] = '\0';
        return streq(target, machine);
}

static int store_drop(void *impl, const struct machine *m) {
        struct store_files *s = impl;
        char name[LINK_NAME_MAX];

        if (machine_is_whole_unit(m)) {
                link_name(m, name);
                if (links_to(s, name, m->name))
                        unlinkat(s->fd, name, 0);
        }
        return unlinkat(s->fd, m->name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- reading ---- */

/* The names of a directory, read before anything in it changes. */
struct names {
        char **list;
        size_t n;
};

static void names_done(struct names *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->list[i]);
        free(l->list);
}

static int names_add(struct names *l, const char *name) {
        char *copy, **bigger;

        if ((l->n & (l->n - 1)) == 0) { /* room is always a power of two */
                bigger = reallocarray(l->list, l->n ? l->n * 2 : 1, sizeof(*bigger));
                if (!bigger)
                        return -ENOMEM;
                l->list = bigger;
        }
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        l->list[l->n++] = copy;
        return 0;
}

struct loading {
        struct store_files *s;
        struct names records, links;
        bool *kept; /* one for each link: a record wants it */
        void (*found)(void *userdata, struct machine *m);
        void *userdata;
};

/* Out of the way of every reader, but there for whoever wants to know. */
static void set_aside(struct store_files *s, const char *name, int error, const char *why) {
        AUTO_FREE char *directory = NULL, *shown = str_escape(name, 64);
        AUTO_CLOSE int fd = -EBADF;

        log_warning("Setting aside the record %s/%s: %s.", s->path, strempty(shown), why ? why : strerror(-error));
        if (asprintf(&directory, "%s" BAD_SUFFIX, s->path) < 0) {
                directory = NULL;
                return;
        }
        if (mkdir(directory, 0700) >= 0 || errno == EEXIST)
                fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || renameat(s->fd, name, fd, name) < 0)
                unlinkat(s->fd, name, 0);
}

static int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The record and its link are two files; we may have been killed between them. */
static void restore_link(struct loading *l, const struct machine *m) {
        char buffer[LINK_NAME_MAX], *name = buffer, **at;

        if (!machine_is_whole_unit(m))
                return;
        link_name(m, buffer);
        at = l->links.n > 0 ? bsearch(&name, l->links.list, l->links.n, sizeof(*at), by_text) : NULL;
        if (at && l->kept[at - l->links.list]) /* the unit of another record: there is one owner */
                return;
        if (at)
                l->kept[at - l->links.list] = true;
        if (!at || !links_to(l->s, name, m->name))
                symlink_atomic_at(l->s->fd, m->name, name);
}

/* Numbers of another boot say nothing about the processes of this one: without an identity a leader counts as dead. A
 * record without a boot, as the stock daemon writes it, is of this one, for the directory does not outlive a boot; but
 * then only the id of a pidfd tells processes apart. */
static void judge_processes(struct store_files *s, struct machine *m, const struct id128 *boot_id) {
        if (id128_equal(boot_id, &s->boot_id))
                return;
        m->leader.start = m->supervisor.start = 0;
        if (!id128_is_null(boot_id))
                m->leader.id = m->supervisor.id = 0;
}

static void load_record(struct loading *l, const char *name) {
        struct store_files *s = l->s;
        struct diag d = { .line = 0 };
        AUTO_FREE char *text = NULL;
        struct machine *m = NULL;
        struct id128 boot_id;
        size_t size;
        int r;

        r = read_file_at(s->fd, name, STATE_FILE_MAX, &text, &size);
        if (r >= 0)
                r = state_decode(name, text, size, &m, &boot_id, &d);
        switch (r) {
        case 0:
                break;
        case -ENOENT: /* removed meanwhile */
                return;
        case -ENOMEM: /* our trouble, not the file's: it stays for the next start */
        case -EMFILE:
        case -ENFILE:
        case -EIO:
                log_error_errno(r, "Cannot read the record of machine %s", name);
                return;
        default:
                set_aside(s, name, r, d.text[0] ? d.text : NULL);
                return;
        }
        judge_processes(s, m, &boot_id);
        restore_link(l, m);
        l->found(l->userdata, m);
}

static bool is_regular(struct store_files *s, const struct dirent *entry) {
        struct stat st;

        if (entry->d_type != DT_UNKNOWN)
                return entry->d_type == DT_REG;
        return fstatat(s->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(st.st_mode);
}

static int sort_out(struct loading *l, const struct dirent *entry) {
        if (startswith(entry->d_name, ".#")) { /* half-written when we were killed */
                unlinkat(l->s->fd, entry->d_name, 0);
                return 0;
        }
        if (entry->d_name[0] == '.')
                return 0;
        if (startswith(entry->d_name, "unit:"))
                return names_add(&l->links, entry->d_name);
        if (is_regular(l->s, entry))
                return names_add(&l->records, entry->d_name);
        set_aside(l->s, entry->d_name, 0, "it is no regular file");
        return 0;
}

/* Names first: found() writes and removes files while we would still be reading the directory. */
static int list_directory(struct loading *l) {
        AUTO_CLOSE int fd = openat(l->s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const struct dirent *entry;
        int r = 0;
        DIR *dir;

        dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (!dir)
                return -errno;
        STEAL_FD(fd); /* the stream owns it now */
        while (r >= 0 && (entry = readdir(dir)))
                r = sort_out(l, entry);
        closedir(dir);
        return r;
}

static int load_all(struct loading *l) {
        int r;

        r = list_directory(l);
        if (r < 0)
                return r;
        if (l->links.n > 0) {
                qsort(l->links.list, l->links.n, sizeof(*l->links.list), by_text);
                l->kept = calloc(l->links.n, sizeof(*l->kept));
                if (!l->kept)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < l->records.n; i++)
                load_record(l, l->records.list[i]);
        for (size_t i = 0; i < l->links.n; i++)
                if (!l->kept[i]) /* no record, or one with another unit */
                        unlinkat(l->s->fd, l->links.list[i], 0);
        return 0;
}

static int store_load(void *impl, void (*found)(void *userdata, struct machine *m), void *userdata) {
        struct loading l = { .s = impl, .found = found, .userdata = userdata };
        int r = load_all(&l);

        names_done(&l.records);
        names_done(&l.links);
        free(l.kept);
        return r;
}

struct store_port store_files_port(struct store_files *s) {
        return (struct store_port){ .impl = s, .save = store_save, .drop = store_drop, .load = store_load };
}
