/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever lives in a delegated cgroup may make whatever he likes below it while we walk: nothing here recurses or keeps a
 * descriptor for each level, and each call does a bounded amount of work. */
#include "sys/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "sys/fileio.h"

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
#define ATTRIBUTE_MAX ((size_t) 1 << 20)
#define REMOVALS_AT_ONCE 1024
#define LIST_MAX 65536
#define V1_UNLIMITED (INT64_C(1) << 62) /* v1 says "no limit" with the largest number that it knows, rounded to pages */

static const char *const marks[2] = { "trusted.muster.scope", "user.muster.scope" };
static const char *const notes[2] = { "trusted.muster.unit", "user.muster.unit" };
static const char *const begun[2] = { "trusted.muster.begun", "user.muster.begun" };

int cgroup_open(int dir_fd, const char *path) {
        struct open_how how = { .flags = DIRECTORY_FLAGS,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                                           RESOLVE_NO_XDEV };
        long fd = syscall(SYS_openat2, dir_fd, *path ? path : ".", &how, sizeof(how));

        return fd < 0 ? -errno : (int) fd;
}

int cgroup_open_mount(const char *path) {
        int fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int cgroup_make(int dir_fd, const char *name) {
        int fd;

        if (mkdirat(dir_fd, name, 0755) < 0)
                return -errno;
        fd = openat(dir_fd, name, DIRECTORY_FLAGS);
        if (fd < 0) {
                int error = errno;

                unlinkat(dir_fd, name, AT_REMOVEDIR);
                return -error;
        }
        return fd;
}

int cgroup_attach(int fd, pid_t pid) {
        char text[16];

        snprintf(text, sizeof(text), "%d", (int) pid);
        return write_attribute_text_at(fd, "cgroup.procs", text);
}

/* ---- is anybody there? ---- */

static int has_processes(int fd) {
        AUTO_FREE char *text = NULL;
        int r;

        r = read_file_at(fd, "cgroup.procs", ATTRIBUTE_MAX, &text, NULL);
        if (r == -EFBIG)
                return 1;
        if (r < 0)
                return r == -ENOENT || r == -ENODEV ? 0 : r;
        return text[0] != '\0';
}

struct populated_search {
        int fd;
        unsigned depth;
};

static int any_below(void *userdata, const char *name);

static int search_populated(int fd, unsigned depth) {
        struct populated_search search = { fd, depth };
        int r;

        r = has_processes(fd);
        if (r != 0)
                return r;
        return cgroup_list(fd, any_below, &search);
}

static int any_below(void *userdata, const char *name) {
        struct populated_search *s = userdata;
        AUTO_CLOSE int fd = -EBADF;

        if (s->depth == 0)
                return 0; /* deeper than anybody goes; if somebody is there, rmdir will say so */
        fd = cgroup_open(s->fd, name);
        return fd < 0 ? 0 : search_populated(fd, s->depth - 1);
}

int cgroup_is_populated(int fd) {
        AUTO_FREE char *text = NULL;
        int r;

        r = read_file_at(fd, "cgroup.events", 4096, &text, NULL);
        if (r == -ENOENT)
                return search_populated(fd, CGROUP_DEPTH_MAX);
        if (r < 0)
                return r == -ENODEV ? 0 : r;
        return strstr(text, "populated 1") ? 1 : 0;
}

/* ---- attributes ---- */

static bool parse_size(const char *s, size_t length, int64_t *ret) {
        char number[24], *end;

        if (length == 3 && memcmp(s, "max", 3) == 0) {
                *ret = V1_UNLIMITED;
                return true;
        }
        if (length == 0 || length >= sizeof(number))
                return false;
        memcpy(number, s, length);
        number[length] = '\0';
        errno = 0;
        *ret = strtoll(number, &end, 10);
        return errno == 0 && *end == '\0';
}

static bool equal_values(const char *wanted, size_t wanted_size, const char *got, size_t got_size) {
        int64_t a, b, page = sysconf(_SC_PAGESIZE);

        if (wanted_size == got_size && memcmp(wanted, got, got_size) == 0)
                return true;
        if (!parse_size(wanted, wanted_size, &a) || !parse_size(got, got_size, &b))
                return false;
        if (a >= V1_UNLIMITED)
                return b >= V1_UNLIMITED;
        return b <= a && a - b < page && b % page == 0;
}

/* Every blank-separated word of `wanted` is a word of the line. */
static bool line_has(const char *line, size_t size, const char *wanted) {
        for (const char *w = wanted; *w;) {
                size_t length = strcspn(w, " ");
                bool found = false;

                for (const char *p = line, *end = line + size; p < end && !found;) {
                        const char *blank = memchr(p, ' ', (size_t) (end - p));
                        size_t n = blank ? (size_t) (blank - p) : (size_t) (end - p);

                        found = equal_values(w, length, p, n);
                        p += n + 1;
                }
                if (!found)
                        return false;
                w += length;
                w += strspn(w, " ");
        }
        return true;
}

static bool shows(const char *text, const char *wanted) {
        for (const char *p = text; *p;) {
                size_t size = strcspn(p, "\n");

                if (line_has(p, size, wanted))
                        return true;
                p += size;
                p += strspn(p, "\n");
        }
        return false;
}

int cgroup_set(int fd, const char *attribute, const char *value, char **ret_got) {
        AUTO_FREE char *text = NULL;
        size_t size;
        int r;

        r = write_attribute_text_at(fd, attribute, value);
        if (r < 0)
                return r;
        r = read_file_at(fd, attribute, ATTRIBUTE_MAX, &text, &size);
        if (r < 0)
                return r;
        if (shows(text, value))
                return 0;
        while (size > 0 && text[size - 1] == '\n')
                text[--size] = '\0';
        *ret_got = STEAL(text);
        return 1;
}

int cgroup_lists(int fd, const char *attribute, const char *word) {
        AUTO_FREE char *text = NULL;
        size_t size = strlen(word);
        int r;

        r = read_file_at(fd, attribute, 4096, &text, NULL);
        if (r < 0)
                return r;
        for (const char *p = text; (p = strstr(p, word)); p += size)
                if ((p == text || p[-1] == ' ') && strchr(" \n", p[size]))
                        return 1;
        return 0;
}

int cgroup_give_to(int fd, uid_t uid) {
        static const char *const files[] = { "cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks",
                                             "memory.oom.group" };

        if (fchown(fd, uid, (gid_t) -1) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (fchownat(fd, files[i], uid, (gid_t) -1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
                        return -errno;
        return 0;
}

/* ---- marks ---- */

static int set_attribute(int fd, const char *const names[static 2], const char *text) {
        for (size_t i = 0; i < 2; i++) {
                if (fsetxattr(fd, names[i], text, strlen(text), 0) >= 0)
                        return 0;
                if (errno != EPERM && errno != EOPNOTSUPP)
                        break;
        }
        return -errno;
}

/* ret: max + 1 bytes. The size; 0: there is none. */
static size_t get_attribute(int fd, const char *const names[static 2], char *ret, size_t max) {
        for (size_t i = 0; i < 2; i++) {
                ssize_t n = fgetxattr(fd, names[i], ret, max);

                /* Whoever owns a delegated cgroup may set user attributes on it: that is no mark of ours. */
                if (n > 0 && i > 0) {
                        struct stat st;

                        if (fstat(fd, &st) < 0 || st.st_uid != geteuid())
                                continue;
                }
                if (n > 0 && !memchr(ret, '\0', (size_t) n)) {
                        ret[n] = '\0';
                        return (size_t) n;
                }
        }
        return 0;
}

int cgroup_mark(int fd, const char *text) {
        return set_attribute(fd, marks, text);
}

int cgroup_marked(int fd, char ret[static CGROUP_MARK_MAX + 1]) {
        return get_attribute(fd, marks, ret, CGROUP_MARK_MAX) > 0;
}

int cgroup_note(int fd, const char *text) {
        return set_attribute(fd, notes, text);
}

size_t cgroup_noted(int fd, char ret[static CGROUP_NOTE_MAX + 1]) {
        return get_attribute(fd, notes, ret, CGROUP_NOTE_MAX);
}

/* ---- making with nothing left behind ---- */

void cgroup_begin(int dir_fd, const char *name) {
        set_attribute(dir_fd, begun, name);
}

void cgroup_finish(int dir_fd) {
        for (size_t i = 0; i < 2; i++)
                if (fremovexattr(dir_fd, begun[i]) >= 0)
                        return;
}

void cgroup_clear_unfinished(int dir_fd) {
        char name[NAME_MAX + 1];

        if (get_attribute(dir_fd, begun, name, NAME_MAX) == 0)
                return;
        if (!strchr(name, '/') && !streq(name, ".") && !streq(name, ".."))
                unlinkat(dir_fd, name, AT_REMOVEDIR); /* it goes only when nobody is in it */
        cgroup_finish(dir_fd);
}

/* ---- walking and removing ---- */

int cgroup_list(int fd, int (*found)(void *userdata, const char *name), void *userdata) {
        int copy = openat(fd, ".", DIRECTORY_FLAGS), r = 0;
        DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
        struct dirent *entry;

        if (!d) {
                r = -errno;
                if (copy >= 0)
                        close(copy);
                return r == -ENOENT ? 0 : r;
        }
        for (unsigned n = 0; r == 0 && n < LIST_MAX && (entry = readdir(d)); n++)
                if (entry->d_type == DT_DIR && !streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
                        r = found(userdata, entry->d_name);
        closedir(d);
        return r;
}

struct removal {
        int fd;       /* of the directory that is being emptied */
        unsigned n;   /* directories removed so far */
        char *deeper; /* the first child that is not empty itself */
};

/* The kernel says -EBUSY for children and for processes alike, so a child that resists is looked into. */
static int remove_child(void *userdata, const char *name) {
        struct removal *r = userdata;

        if (unlinkat(r->fd, name, AT_REMOVEDIR) >= 0)
                return ++r->n >= REMOVALS_AT_ONCE ? -EAGAIN : 0;
        if (errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        if (!r->deeper) {
                r->deeper = strdup(name);
                if (!r->deeper)
                        return -ENOMEM;
        }
        return 0;
}

/* One step up: into "..", and the directory that we came from goes. Nothing moves directories between parents here. */
static int remove_upwards(struct removal *state, char **names, size_t *n_names) {
        int up = openat(state->fd, "..", DIRECTORY_FLAGS);
        AUTO_FREE char *name = names[--*n_names];

        if (up < 0)
                return -errno;
        close(state->fd);
        state->fd = up;
        state->n++;
        return unlinkat(up, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int descend(struct removal *state, char ***names, size_t *n_names) {
        int down = cgroup_open(state->fd, state->deeper);
        char **more;

        if (down == -ENOENT)
                return 0; /* looked at again in the next round */
        if (down < 0)
                return down;
        more = realloc(*names, (*n_names + 1) * sizeof(*more));
        if (!more) {
                close(down);
                return -ENOMEM;
        }
        *names = more;
        more[(*n_names)++] = STEAL(state->deeper);
        close(state->fd);
        state->fd = down;
        return 0;
}

static int empty_out(int fd) {
        struct removal state = { .fd = fd };
        char **names = NULL;
        size_t n_names = 0;
        int r = 0;

        while (r >= 0) {
                r = cgroup_list(state.fd, remove_child, &state);
                if (r < 0)
                        break;
                if (state.deeper) {
                        r = descend(&state, &names, &n_names);
                        free(STEAL(state.deeper));
                } else if (n_names > 0) {
                        r = remove_upwards(&state, names, &n_names);
                } else {
                        break;
                }
                if (r >= 0 && state.n >= REMOVALS_AT_ONCE)
                        r = -EAGAIN;
        }
        free(state.deeper);
        for (size_t i = 0; i < n_names; i++)
                free(names[i]);
        free(names);
        close(state.fd);
        return r;
}

int cgroup_remove(int dir_fd, const char *name) {
        int fd, r;

        if (unlinkat(dir_fd, name, AT_REMOVEDIR) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EBUSY && errno != ENOTEMPTY)
                return -errno;
        fd = cgroup_open(dir_fd, name);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = cgroup_is_populated(fd);
        if (r != 0) {
                close(fd);
                return r < 0 ? r : -EBUSY;
        }
        r = empty_out(fd);
        if (r < 0)
                return r;
        return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}
