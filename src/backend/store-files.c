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

#define LINK_NAME_MAX (sizeof("unit:") + UNIT_NAME_MAX)
#define BAD_SUFFIX ".bad"

struct store_files {
        int fd; /* RUN/systemd/machines */
        char *path;
        struct id128 boot_id;
        struct buf text; /* kept between writes */
};

static int read_boot_id(struct id128 *ret) {
        AUTO_FREE char *text = NULL;
        int r;

        r = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL);
        if (r < 0)
                return r;
        text[strcspn(text, "\n")] = '\0';
        return id128_from_string(text, ret);
}

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
        r = read_boot_id(&s->boot_id);
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
        if (r < 0 || !machine_owns_unit(m))
                return r;
        link_name(m, name);
        return symlink_atomic_at(s->fd, m->name, name);
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

        if (machine_owns_unit(m)) {
                link_name(m, name);
                if (links_to(s, name, m->name))
                        unlinkat(s->fd, name, 0);
        }
        return unlinkat(s->fd, m->name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- reading ---- */

/* Out of the way of every reader, but there for whoever wants to know. */
static void set_aside(struct store_files *s, const char *name, int error, const char *why) {
        AUTO_FREE char *directory = NULL, *shown = str_escape(name, 64);
        AUTO_CLOSE int fd = -EBADF;

        log_warning("Setting aside the record %s/%s: %s.", s->path, strempty(shown), why ? why : strerror(-error));
        if (asprintf(&directory, "%s" BAD_SUFFIX, s->path) < 0) {
                directory = NULL;
                return;
        }
        if (mkdir(directory, 0700) < 0 && errno != EEXIST)
                return;
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || renameat(s->fd, name, fd, name) < 0)
                unlinkat(s->fd, name, 0);
}

/* The record and its link are two files; we may have been killed between them. */
static void restore_link(struct store_files *s, const struct machine *m) {
        char name[LINK_NAME_MAX];

        if (!machine_owns_unit(m))
                return;
        link_name(m, name);
        if (!links_to(s, name, m->name))
                symlink_atomic_at(s->fd, m->name, name);
}

static void load_record(struct store_files *s, const char *name, void (*found)(void *userdata, struct machine *m),
                        void *userdata) {
        struct diag d = { .line = 0 };
        AUTO_FREE char *text = NULL;
        struct machine *m = NULL;
        struct id128 boot_id;
        size_t size;
        int r;

        r = read_file_at(s->fd, name, STATE_FILE_MAX, &text, &size);
        if (r >= 0)
                r = state_decode(name, text, size, &m, &boot_id, &d);
        if (r < 0) {
                set_aside(s, name, r, d.text[0] ? d.text : NULL);
                return;
        }
        /* Numbers of another boot say nothing about the processes of this one: such a leader is dead. */
        if (!id128_equal(&boot_id, &s->boot_id))
                m->leader.id = m->leader.start = m->supervisor.id = m->supervisor.start = 0;
        restore_link(s, m);
        found(userdata, m);
}

/* Names first: found() writes and removes files while we would still be reading the directory. */
static int list_directory(struct store_files *s, char ***ret_records, size_t *ret_n, bool links) {
        AUTO_CLOSE int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        size_t n = 0, allocated = 0;
        char **names = NULL;
        struct dirent *entry;
        DIR *dir;

        dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (!dir)
                return -errno;
        STEAL_FD(fd);
        while ((entry = readdir(dir))) {
                bool is_link = startswith(entry->d_name, "unit:") != NULL;

                if (startswith(entry->d_name, ".#")) { /* half-written when we were killed */
                        unlinkat(s->fd, entry->d_name, 0);
                        continue;
                }
                if (entry->d_name[0] == '.' || is_link != links)
                        continue;
                if (n == allocated) {
                        char **bigger = reallocarray(names, allocated = allocated ? allocated * 2 : 64, sizeof(*names));

                        if (!bigger)
                                break;
                        names = bigger;
                }
                names[n] = strdup(entry->d_name);
                if (!names[n])
                        break;
                n++;
        }
        closedir(dir);
        *ret_records = names;
        *ret_n = n;
        return 0;
}

static void free_names(char **names, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(names[i]);
        free(names);
}

static bool is_regular(struct store_files *s, const char *name) {
        struct stat st;

        return fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(st.st_mode);
}

/* Links whose record is gone. Those of living machines are written again when their record is. */
static void remove_stale_links(struct store_files *s) {
        char **names = NULL;
        size_t n = 0;

        if (list_directory(s, &names, &n, true) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                char target[MACHINE_NAME_MAX + 2] = "";
                ssize_t size = readlinkat(s->fd, names[i], target, sizeof(target) - 1);

                if (size < 0 || !machine_name_is_valid(target) || !is_regular(s, target))
                        unlinkat(s->fd, names[i], 0);
        }
        free_names(names, n);
}

static int store_load(void *impl, void (*found)(void *userdata, struct machine *m), void *userdata) {
        struct store_files *s = impl;
        char **names = NULL;
        size_t n = 0;
        int r;

        r = list_directory(s, &names, &n, false);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (!is_regular(s, names[i]))
                        set_aside(s, names[i], 0, "it is no regular file");
                else
                        load_record(s, names[i], found, userdata);
        }
        free_names(names, n);
        remove_stale_links(s);
        return 0;
}

struct store_port store_files_port(struct store_files *s) {
        return (struct store_port){ .impl = s, .save = store_save, .drop = store_drop, .load = store_load };
}
