/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts that the user asks for: the syntax of --bind=, --tmpfs=, --overlay= and --inaccessible=. Whether a path exists is
 * asked when it is mounted. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

#define DESTINATION_RIGHT "the path in the container must be absolute, without '..' and control characters."

static int add_mount(struct spec *s, const struct setting *v, struct spec_mount *mount) {
        struct spec_mount *new;

        if (s->n_mounts >= SPEC_LIST_MAX)
                return value_wrong(v, "these are too many mounts, there may be %d.", SPEC_LIST_MAX);
        new = array_extend(&s->mounts, &s->n_mounts, sizeof(*new));
        if (!new)
                return -ENOMEM;
        *new = *mount;
        *mount = (struct spec_mount){ 0 };
        return 0;
}

static int set_destination(const struct setting *v, const char *text, struct spec_mount *mount) {
        int r = value_path(text, &mount->destination);

        return r == -EINVAL ? value_wrong(v, DESTINATION_RIGHT) : r;
}

/* A path of the host; "+PATH", one of the container; nothing: a throw-away directory. */
static int parse_source(const struct setting *v, const char *text, struct spec_path *ret) {
        bool in_root = *text == '+';
        const char *path = text + in_root;

        if (in_root && *path != '/')
                return value_wrong(v, "the path behind '+' must be absolute.");
        if (strlen(path) >= PATH_MAX || !value_is_text(path))
                return value_wrong(v, "the path is too long or contains control characters.");
        ret->in_root = in_root;
        return str_dup_nonempty(path, &ret->path);
}

static const char *without_plus(const char *text) {
        return *text == '+' ? text + 1 : text;
}

static int parse_bind_options(const struct setting *v, const char *text, struct spec_mount *mount) {
        static const struct {
                const char *word;
                int recursive; /* -1: says nothing about it */
                enum spec_idmap idmap;
        } known[] = {
                { "rbind", 1, 0 },
                { "norbind", 0, 0 },
                { "noidmap", -1, IDMAP_NONE },
                { "idmap", -1, IDMAP_SAME },
                { "rootidmap", -1, IDMAP_ROOT },
                { "owneridmap", -1, IDMAP_OWNER },
        };
        AUTO(strv_freep) char **words = NULL;
        int r;

        r = value_words(text, ",", false, &words);
        if (r < 0)
                return r;
        for (size_t i = 0; words && words[i]; i++) {
                size_t k = 0;

                while (k < ELEMENTS(known) && !streq(known[k].word, words[i]))
                        k++;
                if (k == ELEMENTS(known))
                        return value_wrong_word(
                                v, words[i],
                                "an option must be rbind, norbind, noidmap, idmap, rootidmap or owneridmap.");
                if (known[k].recursive >= 0)
                        mount->recursive = known[k].recursive;
                else
                        mount->idmap = known[k].idmap;
        }
        return 0;
}

/* SOURCE[:DESTINATION[:OPTIONS]] */
static int parse_bind(const struct setting *v, char *const *fields, struct spec_mount *mount) {
        size_t n = strv_length(fields);
        int r;

        if (n > 3 || (n == 1 && !*fields[0]))
                return value_wrong(v, "must be SOURCE, SOURCE:DESTINATION or SOURCE:DESTINATION:OPTIONS.");
        r = parse_source(v, fields[0], &mount->source);
        if (r < 0)
                return r;
        r = set_destination(v, n > 1 ? fields[1] : without_plus(fields[0]), mount);
        if (r < 0 || n < 3)
                return r;
        return parse_bind_options(v, fields[2], mount);
}

/* LOWER:UPPER, LOWER:...:UPPER:DESTINATION */
static int parse_overlay(const struct setting *v, char *const *fields, struct spec_mount *mount) {
        size_t n = strv_length(fields), upper = n > 2 ? n - 2 : 1;
        int r;

        if (n < 2)
                return value_wrong(v, "must have at least two paths: LOWER:UPPER, or LOWER:UPPER:DESTINATION.");
        for (size_t i = 0; i < upper; i++) {
                struct spec_path *lower = array_extend(&mount->lower, &mount->n_lower, sizeof(*lower));

                if (!lower)
                        return -ENOMEM;
                r = parse_source(v, fields[i], lower);
                if (r < 0)
                        return r;
                if (!lower->path)
                        return value_wrong(v, "only the upper path may be empty.");
        }
        r = parse_source(v, fields[upper], &mount->source);
        if (r < 0)
                return r;
        if (mount->read_only && !mount->source.path)
                return value_wrong(v, "needs its last layer: only what can be written to may be left empty.");
        return set_destination(v, n > 2 ? fields[n - 1] : without_plus(fields[1]), mount);
}

static int set_mount(struct spec *s, const struct setting *v, enum spec_mount_type type,
                     int (*parse)(const struct setting *v, char *const *fields, struct spec_mount *mount)) {
        struct spec_mount mount = { .type = type, .recursive = true, .read_only = v->field };
        AUTO(strv_freep) char **fields = NULL;
        int r;

        r = value_fields(v->value, &fields);
        if (r == -E2BIG)
                return value_wrong(v, "these are too many paths, there may be %d.", SPEC_LIST_MAX);
        if (r >= 0)
                r = parse(v, fields, &mount);
        if (r >= 0)
                r = add_mount(s, v, &mount);
        spec_mount_done(&mount);
        return r;
}

int set_bind(struct spec *s, const struct setting *v) {
        return set_mount(s, v, SPEC_MOUNT_BIND, parse_bind);
}

int set_overlay(struct spec *s, const struct setting *v) {
        return set_mount(s, v, SPEC_MOUNT_OVERLAY, parse_overlay);
}

/* PATH[:OPTIONS]; options may have colons of their own. */
static int parse_tmpfs(const struct setting *v, char *const *fields, struct spec_mount *mount) {
        AUTO_BUF struct buf options = BUF_EMPTY;
        int r;

        r = set_destination(v, fields[0], mount);
        if (r < 0 || !fields[1])
                return r;
        for (size_t i = 1; fields[i]; i++) {
                buf_append_str(&options, i > 1 ? ":" : "");
                buf_append_str(&options, fields[i]);
        }
        if (options.size > 0 && !value_is_text(options.data))
                return value_wrong(v, "the options must not contain control characters.");
        return options.size > 0 ? buf_steal(&options, &mount->options) : buf_error(&options);
}

int set_tmpfs(struct spec *s, const struct setting *v) {
        return set_mount(s, v, SPEC_MOUNT_TMPFS, parse_tmpfs);
}

int set_inaccessible(struct spec *s, const struct setting *v) {
        struct spec_mount mount = { .type = SPEC_MOUNT_INACCESSIBLE };
        int r;

        r = set_destination(v, v->value, &mount);
        if (r >= 0 && streq(mount.destination, "/"))
                r = value_wrong(v, "the root of the container cannot be hidden.");
        if (r >= 0)
                r = add_mount(s, v, &mount);
        spec_mount_done(&mount);
        return r;
}
