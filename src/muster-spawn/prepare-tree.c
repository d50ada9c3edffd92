/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/prepare-tree.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "muster-spawn/lock.h"
#include "plan/facts.h"
#include "plan/ids.h"
#include "spec/spec.h"

static int make_from(const struct spec *s, const char *template, const char *target, struct diag *diag) {
        struct image_lock lock = IMAGE_LOCK_EMPTY;
        const char *method = NULL;
        int r = s->no_lock ? 0 : image_lock(template, false, &lock);

        if (r == -EBUSY)
                return diag_set(diag, r, "--template", "%.80s is busy: a machine runs from it", template);
        if (r < 0)
                return diag_set(diag, r, "--template", "cannot lock %.80s: %s", template, strerror(-r));
        r = tree_from_template(template, target, &method, diag);
        image_unlock(&lock);
        if (r >= 0 && !s->quiet)
                log_info("%s is made from %s (%s)", target, template, method);
        return r;
}

int prepare_template(const struct spec *s, struct facts *f, struct diag *diag) {
        AUTO_FREE char *template = NULL;
        int r = -EEXIST;

        if (!s->template || s->ephemeral)
                return 0;
        template = realpath(s->template, NULL);
        if (!template)
                return diag_set(diag, -errno, "--template", "cannot find %.80s: %s", s->template, strerror(errno));
        if (access(f->root, F_OK) < 0) {
                if (s->dry_run != DRY_RUN_NO) /* nothing is made: the plan is the same, but for the path */
                        return str_replace(&f->root, template);
                r = make_from(s, template, f->root, diag);
        }
        if (r == -EEXIST) {
                if (!s->quiet)
                        log_info("%s exists: it is run as it is, the template is not used", f->root);
                return 0;
        }
        return r;
}

/* How a private version would have to deal with owners, was it an overlay. */
static struct ephemeral_owners owners(const struct spec *s, struct facts *f) {
        struct ephemeral_owners o = { .no_overlay =
                                              s->pivot_root_new != NULL }; /* it would be over the wrong directory */

        f->tree_id_mappable = true; /* will be seen */
        switch (ids_ownership(s, f)) {
        case OWNERSHIP_FOREIGN:
                o.on_disk = IDS_FOREIGN_BASE;
                __attribute__((fallthrough));
        case OWNERSHIP_MAP:
                o.shown = f->uid_base;
                o.count = f->uid_count;
                break;
        case OWNERSHIP_CHOWN:
                o.no_overlay |= f->root_uid / IDS_RANGE != f->uid_base / IDS_RANGE;
                break;
        default:
                break;
        }
        return o;
}

/* What nobody can write to needs no version of its own. */
static bool wants_version(const struct spec *s) {
        return s->ephemeral && !s->read_only && s->volatile_mode == VOLATILE_NO && s->dry_run == DRY_RUN_NO;
}

static int owner_of_root(struct facts *f) {
        struct stat st;

        if (stat(f->root, &st) < 0)
                return -errno;
        f->root_uid = st.st_uid;
        f->root_gid = st.st_gid;
        return 0;
}

static int use(struct facts *f, const struct ephemeral *e) {
        int r;

        f->tree_id_mappable = e->upper != NULL;
        if (e->root) {
                r = str_replace(&f->root, e->root);
                return r < 0 ? r : owner_of_root(f);
        }
        return e->upper ? str_replace(&f->ephemeral_upper, e->upper) : 0;
}

static int prepare_again(struct facts *f, const struct prepared_tree *p) {
        int r = str_replace(&f->machine, p->machine);

        f->uid_base = p->uid_base;
        f->uid_count = p->uid_count;
        if (r >= 0)
                r = owner_of_root(f);
        if (r >= 0)
                r = ephemeral_again(&p->ephemeral);
        return r < 0 ? r : use(f, &p->ephemeral);
}

int prepare_tree(const struct spec *s, struct facts *f, struct prepared_tree *p, struct diag *diag) {
        struct ephemeral_owners o;
        int r;

        if (p->machine)
                return prepare_again(f, p);
        r = owner_of_root(f);
        if (r < 0)
                return diag_set(diag, r, "--directory", "cannot open %.80s: %s", f->root, strerror(-r));
        r = uid_range_take(s, f, &p->range, diag);
        if (r >= 0 && wants_version(s)) {
                o = owners(s, f);
                r = ephemeral_make(f->root, &o, &p->ephemeral, diag);
                if (r >= 0 && !s->quiet)
                        log_info("%s runs on a private version of %s (%s)", f->machine, f->root, p->ephemeral.method);
        }
        if (r >= 0)
                r = use(f, &p->ephemeral);
        if (r < 0)
                return r;
        p->uid_base = f->uid_base;
        p->uid_count = f->uid_count;
        p->machine = strdup(f->machine);
        return p->machine ? 0 : -ENOMEM;
}

void prepared_tree_done(struct prepared_tree *p) {
        ephemeral_remove(&p->ephemeral);
        uid_range_done(&p->range);
        free(p->machine);
        *p = PREPARED_TREE_EMPTY;
}
