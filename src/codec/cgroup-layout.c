/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First the mounts that matter are collected, then those that others cover are left out, then each hierarchy is looked up. */
#include "codec/cgroup-layout.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "codec/proc-text.h"

#define TOP "/sys/fs/cgroup"
#define MOUNTS_MAX 512
#define PATH_MAX_BYTES 4096

static const char *const cgroup_mode_table[_CGROUP_MODE_MAX] = {
        [CGROUP_NONE] = "none",
        [CGROUP_V1] = "v1",
        [CGROUP_HYBRID] = "hybrid",
        [CGROUP_V2] = "v2",
};
DEFINE_TABLE(cgroup_mode, enum cgroup_mode)

static const char *const cgroup_controller_table[_CGROUP_CONTROLLER_MAX] = {
        [CGROUP_MEMORY] = "memory",   [CGROUP_PIDS] = "pids",       [CGROUP_CPU] = "cpu",
        [CGROUP_CPUACCT] = "cpuacct", [CGROUP_CPUSET] = "cpuset",   [CGROUP_FREEZER] = "freezer",
        [CGROUP_BLKIO] = "blkio",     [CGROUP_DEVICES] = "devices", [CGROUP_SYSTEMD] = "name=systemd",
};
DEFINE_TABLE(cgroup_controller, enum cgroup_controller)

enum mount_type { MOUNT_OTHER, MOUNT_CGROUP, MOUNT_CGROUP2 };

struct mount {
        uint32_t id, parent;
        enum mount_type type;
        bool read_only, hidden;
        char *root, *point, *options; /* options: of the file system, as controllers are named there */
};

struct mounts {
        struct mount *entries;
        size_t n, allocated;
};

static void mounts_done(struct mounts *m) {
        for (size_t i = 0; i < m->n; i++) {
                free(m->entries[i].root);
                free(m->entries[i].point);
                free(m->entries[i].options);
        }
        free(m->entries);
}

/* ---- one line of mountinfo ---- */

struct span {
        const char *p;
        size_t size;
};

static bool span_is(struct span s, const char *text) {
        return s.size == strlen(text) && memcmp(s.p, text, s.size) == 0;
}

/* The next word of *rest, which moves behind it. size 0: there is none. */
static struct span take_word(struct span *rest) {
        struct span word;
        const char *blank;

        while (rest->size > 0 && *rest->p == ' ')
                *rest = (struct span){ rest->p + 1, rest->size - 1 };
        blank = memchr(rest->p, ' ', rest->size);
        word = (struct span){ rest->p, blank ? (size_t) (blank - rest->p) : rest->size };
        *rest = (struct span){ rest->p + word.size, rest->size - word.size };
        return word;
}

/* Is `name` one of the comma-separated words? */
static bool lists(const char *list, size_t size, const char *name) {
        for (const char *p = list, *end = list + size; p < end;) {
                const char *comma = memchr(p, ',', (size_t) (end - p));
                struct span word = { p, comma ? (size_t) (comma - p) : (size_t) (end - p) };

                if (span_is(word, name))
                        return true;
                p += word.size + 1;
        }
        return false;
}

/* The kernel writes blanks, tabs, newlines and backslashes as \ and three octal digits. -EBADMSG: not a sane path. */
static int unescape(struct span s, char **ret) {
        AUTO_FREE char *path = NULL;
        size_t n = 0;

        if (s.size == 0 || s.size >= PATH_MAX_BYTES || s.p[0] != '/')
                return -EBADMSG;
        path = malloc(s.size + 1);
        if (!path)
                return -ENOMEM;
        for (size_t i = 0; i < s.size; i++) {
                unsigned c = (uint8_t) s.p[i];

                if (c == '\\') {
                        if (s.size - i < 4)
                                return -EBADMSG;
                        c = 0;
                        for (size_t k = 1; k <= 3; k++) {
                                if (s.p[i + k] < '0' || s.p[i + k] > '7')
                                        return -EBADMSG;
                                c = c * 8 + (unsigned) (s.p[i + k] - '0');
                        }
                        i += 3;
                }
                if (c == 0 || c > 255)
                        return -EBADMSG;
                path[n++] = (char) c;
        }
        path[n] = '\0';
        *ret = STEAL(path);
        return 0;
}

/* What is behind `prefix` and a slash in path, "" when they are equal, NULL when path is not below it. "" and "/" hold all. */
static const char *path_below(const char *path, const char *prefix) {
        size_t n = strlen(prefix);

        if (n > 0 && prefix[n - 1] == '/')
                n--;
        if (strncmp(path, prefix, n) != 0 || (path[n] != '/' && path[n] != '\0'))
                return NULL;
        return path + n + strspn(path + n, "/");
}

/* Mounts above /sys/fs/cgroup can hide it, those at and below it are what we look for. */
static bool is_relevant(const char *point) {
        return path_below(point, TOP) || path_below(TOP, point);
}

static int take_id(struct span *rest, uint32_t *ret) {
        struct span word = take_word(rest);
        char number[12];

        if (word.size == 0 || word.size >= sizeof(number))
                return -EBADMSG;
        memcpy(number, word.p, word.size);
        number[word.size] = '\0';
        return parse_u32(number, ret) < 0 ? -EBADMSG : 0;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS". -EBADMSG: skip it. */
static int decode_line(struct span line, struct mount *ret) {
        struct span root, point, options, word, super;
        int r;

        if (take_id(&line, &ret->id) < 0 || take_id(&line, &ret->parent) < 0)
                return -EBADMSG;
        take_word(&line);
        root = take_word(&line);
        point = take_word(&line);
        options = take_word(&line);
        do
                word = take_word(&line);
        while (word.size > 0 && !span_is(word, "-"));
        word = take_word(&line);
        take_word(&line);
        super = take_word(&line);
        if (super.size == 0)
                return -EBADMSG;
        ret->type = span_is(word, "cgroup") ? MOUNT_CGROUP : span_is(word, "cgroup2") ? MOUNT_CGROUP2 : MOUNT_OTHER;
        ret->read_only = lists(options.p, options.size, "ro") || lists(super.p, super.size, "ro");
        r = unescape(point, &ret->point);
        if (r < 0)
                return r;
        if (!is_relevant(ret->point))
                return 0;
        r = unescape(root, &ret->root);
        if (r < 0)
                return r;
        ret->options = strndup(super.p, super.size);
        return ret->options ? 1 : -ENOMEM;
}

static int add_line(struct mounts *m, struct span line) {
        struct mount *one;
        int r;

        if (m->n == m->allocated) {
                size_t more = m->allocated ? m->allocated * 2 : 16;
                struct mount *bigger = realloc(m->entries, more * sizeof(*bigger));

                if (!bigger)
                        return -ENOMEM;
                m->entries = bigger;
                m->allocated = more;
        }
        one = &m->entries[m->n];
        *one = (struct mount){ .id = 0 };
        r = decode_line(line, one);
        if (r == 1 && ++m->n <= MOUNTS_MAX)
                return 0;
        if (r == 1)
                return -E2BIG;
        free(one->root);
        free(one->point);
        return r == -ENOMEM ? r : 0;
}

static int collect(const char *text, size_t size, struct mounts *ret) {
        for (const char *p = text, *end = text + size; p < end;) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                struct span line = { p, newline ? (size_t) (newline - p) : (size_t) (end - p) };
                int r;

                r = add_line(ret, line);
                if (r < 0)
                        return r;
                p += line.size + 1;
        }
        return 0;
}

/* ---- what can be seen ---- */

/* A mount is covered by one that stands right on it, or by one made later on a directory above it: that one has the same
 * parent (had it been there before, it would be the parent). */
static bool covers(const struct mount *by, const struct mount *m) {
        if (by->parent == m->id && by->id != m->id)
                return streq(by->point, m->point);
        return by->parent == m->parent && by->id != m->id && !streq(by->point, m->point) &&
               path_below(m->point, by->point);
}

static void hide_covered(struct mounts *m) {
        bool again = true;

        for (size_t i = 0; i < m->n; i++)
                for (size_t k = 0; k < m->n && !m->entries[i].hidden; k++)
                        m->entries[i].hidden = covers(&m->entries[k], &m->entries[i]);
        /* What stands on a hidden one is hidden too, unless it is what covers it. */
        while (again) {
                again = false;
                for (size_t i = 0; i < m->n; i++)
                        for (size_t k = 0; k < m->n && !m->entries[i].hidden; k++) {
                                const struct mount *parent = &m->entries[k], *one = &m->entries[i];

                                if (parent->hidden && one->parent == parent->id && one->id != parent->id &&
                                    !streq(one->point, parent->point))
                                        again = m->entries[i].hidden = true;
                        }
        }
}

static const struct mount *find_point(const struct mounts *m, const char *point) {
        const struct mount *found = NULL;

        for (size_t i = 0; i < m->n; i++)
                if (!m->entries[i].hidden && streq(m->entries[i].point, point))
                        found = &m->entries[i]; /* of equals, the later one */
        return found;
}

/* The v1 mount with the option ("memory", "name=systemd"); the one at the usual place where there are several. */
static const struct mount *find_v1(const struct mounts *m, const char *option, const char *usual) {
        const struct mount *found = NULL;

        for (size_t i = 0; i < m->n; i++) {
                const struct mount *one = &m->entries[i];

                if (one->hidden || one->type != MOUNT_CGROUP || !lists(one->options, strlen(one->options), option))
                        continue;
                if (!found || streq(one->point, usual))
                        found = one;
        }
        return found;
}

/* ---- a hierarchy ---- */

static void hierarchy_done(struct cgroup_hierarchy *h) {
        free(h->mount);
        free(h->prefix);
        free(h->below);
        *h = (struct cgroup_hierarchy){ .mount = NULL };
}

/* Where PID 1 lives. What is outside of our cgroup namespace, or not told, is as good as the root. */
static int root_prefix(const char *pid1, size_t size, const char *controller, char **ret) {
        char *path = NULL, *scope;
        size_t n;
        int r;

        r = proc_cgroup_decode(pid1, size, controller, &path);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                *ret = strdup("");
                return *ret ? 0 : -ENOMEM;
        }
        scope = (char *) endswith(path, "/init.scope");
        if (scope)
                *scope = '\0';
        for (n = strlen(path); n > 0 && path[n - 1] == '/'; n--)
                path[n - 1] = '\0';
        *ret = path;
        return 0;
}

static bool has_parent_component(const char *path) {
        return strstr(path, "/../") || endswith(path, "/..");
}

static int fill(const struct mount *m, const char *pid1, size_t size, const char *controller,
                struct cgroup_hierarchy *ret) {
        const char *below;
        int r;

        r = root_prefix(pid1, size, controller, &ret->prefix);
        if (r < 0)
                return r;
        /* A mount of another part of the tree shows the same files with another meaning: not for us. */
        below = m && !has_parent_component(m->root) && !has_parent_component(ret->prefix)
                        ? path_below(ret->prefix, m->root)
                        : NULL;
        if (!below)
                return 0;
        ret->read_only = m->read_only;
        ret->mount = strdup(m->point);
        ret->below = strdup(below);
        return ret->mount && ret->below ? 0 : -ENOMEM;
}

static int fill_tracking(const struct mounts *m, const char *pid1, size_t size, struct cgroup_layout *l) {
        static const struct {
                const char *point;
                enum cgroup_mode mode;
        } places[] = { { TOP, CGROUP_V2 }, { TOP "/unified", CGROUP_HYBRID }, { TOP "/systemd", CGROUP_HYBRID } };
        const struct mount *found;

        for (size_t i = 0; i < ELEMENTS(places); i++) {
                found = find_point(m, places[i].point);
                if (!found || found->type != MOUNT_CGROUP2)
                        continue;
                l->mode = places[i].mode;
                return fill(found, pid1, size, "", &l->tracking);
        }
        found = find_v1(m, "name=systemd", TOP "/systemd");
        if (!found)
                return 0;
        l->mode = CGROUP_V1;
        return fill(found, pid1, size, "name=systemd", &l->tracking);
}

static int fill_v1(const struct mounts *m, const char *pid1, size_t size, struct cgroup_layout *l) {
        for (size_t c = 0; c < _CGROUP_CONTROLLER_MAX; c++) {
                const char *name = cgroup_controller_table[c];
                char usual[64] = TOP "/";
                const struct mount *found;
                int r;

                if (c == CGROUP_SYSTEMD && l->mode != CGROUP_HYBRID)
                        continue; /* it is the tracking one */
                strcat(usual, c == CGROUP_SYSTEMD ? "systemd" : name);
                found = find_v1(m, name, usual);
                if (!found)
                        continue;
                r = fill(found, pid1, size, name, &l->v1[c]);
                if (r < 0)
                        return r;
                if (!l->v1[c].mount)
                        hierarchy_done(&l->v1[c]);
        }
        return 0;
}

int cgroup_layout_decode(const char *mountinfo, size_t mountinfo_size, const char *pid1, size_t pid1_size,
                         struct cgroup_layout *ret) {
        AUTO(mounts_done) struct mounts m = { NULL, 0, 0 };
        struct cgroup_layout l = { .mode = CGROUP_NONE };
        int r;

        r = collect(mountinfo, mountinfo_size, &m);
        if (r < 0)
                return r;
        hide_covered(&m);
        r = fill_tracking(&m, pid1, pid1_size, &l);
        if (r >= 0 && l.mode != CGROUP_V2)
                r = fill_v1(&m, pid1, pid1_size, &l);
        if (r < 0) {
                cgroup_layout_done(&l);
                return r;
        }
        *ret = l;
        return 0;
}

void cgroup_layout_done(struct cgroup_layout *l) {
        hierarchy_done(&l->tracking);
        for (size_t c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                hierarchy_done(&l->v1[c]);
        l->mode = CGROUP_NONE;
}
